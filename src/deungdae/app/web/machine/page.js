// The page machine.

export default () => [];
