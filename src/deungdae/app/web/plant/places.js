// Where a person goes from a machine of the plan.

export const MANY = 60; // machines; a plant of more is shown as tiles

export function placeOf(asset) {
  return `/machine/${encodeURIComponent(asset)}`;
}
