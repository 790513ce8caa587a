/** What a secret may be called, and how large it may be: the same on every node. */

/** So short a value would stand in any log by chance. */
export const secretBytesMin = 8;
export const secretBytesMax = 64 << 10;

export const secretPattern = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;

export const isSecretName = (name: string): boolean => secretPattern.test(name);
