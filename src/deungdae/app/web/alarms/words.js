// The words of the page alarms, in Korean and English.

export const words = {
  ko: {
  },
  en: {
  },
};
