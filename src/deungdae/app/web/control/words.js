// The words of the page control, in Korean and English.

export const words = {
  ko: {
    changeTarget: "목표값 변경",
    back: "제어 루프로",
    loopWaits: (reason) => `제어 대기: ${reason}`,
    targetTitle: (name) => `${name}의 목표값`,
    targetText: "목표값은 다음 측정부터 적용됩니다.",
    waitsForPerson: "승인 대기",
    approveTitle: "이 명령을 승인할까요?",
    declineTitle: "이 명령을 거절할까요?",
    held: "확인이 필요한 신호",
    clear: "확인함",
    clearTitle: "설비를 확인했습니까?",
    noCommands: "아직 명령이 없습니다.",
    times: (n) => `${n}회`,
  },
  en: {
    changeTarget: "Change set-point",
    back: "Back to the loop",
    loopWaits: (reason) => `The loop waits: ${reason}`,
    targetTitle: (name) => `Set-point of ${name}`,
    targetText: "It holds from the next measurement on.",
    waitsForPerson: "Waits for a person",
    approveTitle: "Approve this command?",
    declineTitle: "Decline this command?",
    held: "Signals to look at",
    clear: "I have looked",
    clearTitle: "Have you looked at the machine?",
    noCommands: "No command yet.",
    times: (n) => `${n} times`,
  },
};
