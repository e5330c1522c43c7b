// The page dashboard.

export default () => [];
