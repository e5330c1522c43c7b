// The words of the page machine, in Korean and English.

export const words = {
  ko: {
  },
  en: {
  },
};
