// The page settings.

export default () => [];
