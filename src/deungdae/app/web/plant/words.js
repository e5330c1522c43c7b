// The words of the page plant, in Korean and English.

export const words = {
  ko: {
  },
  en: {
  },
};
