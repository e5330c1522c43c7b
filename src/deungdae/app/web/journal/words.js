// The words of the page journal, in Korean and English.

export const words = {
  ko: {
  },
  en: {
  },
};
