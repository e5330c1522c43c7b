// The page start.

export default () => [];
