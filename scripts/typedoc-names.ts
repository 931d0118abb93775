/** A TypeDoc plugin: types that schemas infer keep the names under which declarations mention them. */
import {
  type Application,
  type Context,
  Converter,
  makeRecursiveVisitor,
  type Reflection,
  type SomeType,
} from "typedoc";
import ts from "typescript";

/** What has a type of its own: a parameter, a property, or a call by what it returns. */
type Typed = Reflection & { type?: SomeType | undefined };

/**
 * TypeScript forgets the alias of what `z.infer` yields, and TypeDoc then spells every field out, wherever
 * the type is mentioned: a function of a record would be pages of its fields. So where a declaration names a
 * type, its name is taken.
 */
export function keepNames(app: Application): void {
  const keep = (context: Context, reflection: Typed, declaration?: ts.Node) => {
    const declarations = declaration
      ? [declaration]
      : context.getSymbolFromReflection(reflection)?.declarations;
    const node = declarations?.map(typeNodeOf).find((type) => type !== undefined);
    // Types are there only after what they belong to was made.
    if (node !== undefined) app.converter.deferConversion(() => nameType(context, reflection, node));
  };
  app.converter.on(Converter.EVENT_CREATE_DECLARATION, (context, reflection) => keep(context, reflection));
  app.converter.on(Converter.EVENT_CREATE_PARAMETER, (context, reflection) => keep(context, reflection));
  app.converter.on(Converter.EVENT_CREATE_SIGNATURE, (context, reflection, declaration) => {
    if (declaration !== undefined) keep(context, reflection, declaration);
  });
}

/** Takes the type as the declaration writes it, where TypeDoc has spelled out fields. */
function nameType(context: Context, reflection: Typed, node: ts.TypeNode): void {
  const inlined: Reflection[] = [];
  reflection.type?.visit(
    makeRecursiveVisitor({ reflection: ({ declaration }) => inlined.push(declaration) }),
  );
  if (inlined.length === 0) return;
  for (const one of inlined) context.project.removeReflection(one);
  reflection.type = context.converter.convertType(context.withScope(reflection), node);
}

/** The type that a declaration states, where it does so by a name that is not one of zod's. */
function typeNodeOf(declaration: ts.Node): ts.TypeNode | undefined {
  const typed =
    ts.isPropertySignature(declaration) ||
    ts.isPropertyDeclaration(declaration) ||
    ts.isParameter(declaration) ||
    ts.isFunctionLike(declaration);
  const node = typed ? declaration.type : undefined;
  if (node === undefined || !/^[A-Z]|^readonly [A-Z]/.test(node.getText())) return undefined;
  return /\bz\./.test(node.getText()) ? undefined : node;
}
