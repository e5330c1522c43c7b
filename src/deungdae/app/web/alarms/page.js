// The page alarms.

export default () => [];
