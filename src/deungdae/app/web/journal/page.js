// The page journal.

export default () => [];
