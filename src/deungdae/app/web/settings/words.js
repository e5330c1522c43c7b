// The words of the page settings, in Korean and English.

export const words = {
  ko: {
  },
  en: {
  },
};
