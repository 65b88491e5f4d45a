/** A file of editors/sample, as text. */
declare module '*.rs' {
  const text: string;
  export default text;
}
