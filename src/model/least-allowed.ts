/** Of log-probabilities in fp32: other kernels add in another order, and on some subnetworks it shows. */
export const LEAST_ALLOWED = 2e-3;
