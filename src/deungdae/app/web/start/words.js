// The words of the page start, in Korean and English.

export const words = {
  ko: {
  },
  en: {
  },
};
