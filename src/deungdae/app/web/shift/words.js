// The words of the page shift, in Korean and English.

export const words = {
  ko: {
  },
  en: {
  },
};
