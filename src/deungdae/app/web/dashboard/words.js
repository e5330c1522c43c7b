// The words of the page dashboard, in Korean and English.

export const words = {
  ko: {
  },
  en: {
  },
};
