// The page trace.

export default () => [];
