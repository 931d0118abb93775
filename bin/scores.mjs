// What the checks in other software make of logits, an array by token.

export const likeliestOf = (scores) =>
  scores.reduce((best, score, at) => (score > scores[best] ? at : best), 0);

export function logProbability(scores, token) {
  const most = scores.reduce((a, b) => Math.max(a, b));
  return scores[token] - most - Math.log(scores.reduce((total, score) => total + Math.exp(score - most), 0));
}

/** How much likelier another token is than `token`: 0 where it is the likeliest. */
export const marginOf = (scores, token) =>
  logProbability(scores, likeliestOf(scores)) - logProbability(scores, token);
