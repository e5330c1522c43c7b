// The words of the page energy, in Korean and English.

export const words = {
  ko: {
    noEnergy: "아직 전력 데이터가 없습니다.",
    usedToday: "사용량",
    fromTo: (from, to) => `${from} – ${to}`,
    demand: "이번 15분 평균",
    drawnNow: "현재 전력",
    peak: "15분 최대 수요",
  },
  en: {
    noEnergy: "No power has been measured yet.",
    usedToday: "Used",
    fromTo: (from, to) => `${from} – ${to}`,
    demand: "this quarter-hour",
    drawnNow: "Drawn now",
    peak: "15-minute peak",
  },
};
