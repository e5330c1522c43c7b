// The words of the page trace, in Korean and English.

export const words = {
  ko: {
  },
  en: {
  },
};
