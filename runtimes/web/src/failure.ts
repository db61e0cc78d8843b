// Errors that people read: what is wrong, and what to do next.

/** An error with a hint. Anything else that is thrown is a defect of this page. */
export class Failure extends Error {
  constructor(
    message: string,
    readonly hint: string,
  ) {
    super(message);
    this.name = 'Failure';
  }
}

/** A failure as it travels between workers. */
export interface Told {
  message: string;
  hint: string;
}

/** Returns any error in words. */
export function told(error: unknown): Told {
  if (error instanceof Failure) return { message: error.message, hint: error.hint };
  const message = error instanceof Error ? error.message : String(error);
  if (/out of memory|bad_alloc|allocation failed|Array buffer allocation|Invalid typed array length/i.test(message)) {
    return {
      message: 'The browser has run out of memory.',
      hint: 'Choose smaller tiles, close other tabs, or segment the image with instanseg-export run --tiled.',
    };
  }
  return {
    message: `The page failed: ${message}`,
    hint: 'Reload it. If that does not help, run instanseg-export run on the same image and compare.',
  };
}

/** Turns a failure that has travelled into an error again. */
export function untold({ message, hint }: Told): Failure {
  return new Failure(message, hint);
}
