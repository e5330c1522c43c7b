// The words of the page connections, in Korean and English.

export const words = {
  ko: {
  },
  en: {
  },
};
