// The large editor: CodeMirror with what the domain says of a text. Bundled into a script of its own,
// which is loaded when the editor is first opened. It decides nothing: completion, marks and faults
// are asked of the page's module, in JSON, with places in UTF-16 units.
import { acceptCompletion, autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, startCompletion } from "@codemirror/autocomplete";
import type { Completion, CompletionContext, CompletionResult } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { json } from "@codemirror/lang-json";
import { bracketMatching, HighlightStyle, indentOnInput, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { javascript } from "@codemirror/legacy-modes/mode/javascript";
import { pgSQL } from "@codemirror/legacy-modes/mode/sql";
import { linter, lintKeymap } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { EditorState, RangeSetBuilder } from "@codemirror/state";
import { Decoration, drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers, placeholder, ViewPlugin } from "@codemirror/view";
import type { DecorationSet, ViewUpdate } from "@codemirror/view";
import { tags } from "@lezer/highlight";

/** What the page's module answers; each function takes and gives texts. */
interface Asked {
  /** What can be written at a place, or an empty text. */
  complete(text: string, caret: number): Promise<string>;
  /** The parts of a text. */
  marks(text: string): string;
  /** Told each new text. */
  changed(text: string): void;
}

interface Mark {
  from: number;
  to: number;
  what: "expression" | "reference" | "call" | "fault";
  message: string;
}

interface Suggestions {
  from: number;
  to: number;
  options: { label: string; detail: string; info: string; type: string; text: string; caret: number }[];
}

const colours = HighlightStyle.define([
  { tag: tags.propertyName, class: "code-name" },
  { tag: [tags.string], class: "code-text" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], class: "code-number" },
  { tag: [tags.keyword], class: "code-keyword" },
  { tag: [tags.comment], class: "code-comment" },
]);

// In the colours of the page, by its own properties: so it follows light and dark by itself.
const theme = EditorView.theme({
  "&": { color: "var(--text)", backgroundColor: "var(--field)", height: "100%", fontSize: "13px" },
  "&.cm-focused": { outline: "2px solid var(--focus)", outlineOffset: "-1px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "20px" },
  ".cm-content": { caretColor: "var(--text)", padding: "8px 0" },
  "&.cm-focused .cm-cursor, .cm-cursor": { borderLeftColor: "var(--text)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "color-mix(in srgb, var(--accent) 28%, transparent)",
  },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--hover) 60%, transparent)" },
  ".cm-gutters": { backgroundColor: "var(--surface)", color: "var(--text-quiet)", borderRight: "1px solid var(--line)" },
  ".cm-activeLineGutter": { backgroundColor: "var(--hover)", color: "var(--text)" },
  ".cm-placeholder": { color: "var(--text-quiet)" },
  ".cm-selectionMatch": { backgroundColor: "var(--still-soft)" },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--accent-soft)", outline: "1px solid var(--accent)" },
  ".cm-tooltip": {
    backgroundColor: "var(--raised)",
    color: "var(--text)",
    border: "1px solid var(--line-strong)",
    borderRadius: "var(--radius)",
    boxShadow: "var(--shadow)",
  },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", fontSize: "13px", maxHeight: "240px" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "4px 8px", lineHeight: "20px" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]": {
    backgroundColor: "var(--accent-soft)",
    color: "var(--accent-text)",
  },
  ".cm-completionDetail": { color: "var(--text-quiet)", fontStyle: "normal", marginLeft: "12px" },
  ".cm-completionInfo": { padding: "6px 10px", maxWidth: "260px", fontFamily: "var(--sans)" },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "600" },
  ".cm-diagnostic": { padding: "6px 10px", borderLeft: "3px solid var(--deleted)", fontFamily: "var(--sans)" },
  ".cm-lintRange-error": {
    backgroundImage: "none",
    textDecoration: "underline wavy var(--deleted)",
    textDecorationSkipInk: "none",
  },
  ".cm-panels": { backgroundColor: "var(--surface)", color: "var(--text)", borderColor: "var(--line)" },
  ".code-expression": { backgroundColor: "var(--still-soft)", borderRadius: "3px" },
  ".code-reference, .code-reference *": { color: "var(--accent-text)" },
  ".code-call, .code-call *": { color: "var(--moved-text)" },
  ".code-name": { color: "var(--modified-text)" },
  ".code-text": { color: "var(--added-text)" },
  ".code-number": { color: "var(--moved-text)" },
  ".code-keyword": { color: "var(--accent-text)" },
  ".code-comment": { color: "var(--text-quiet)" },
});

const marksOf = (asked: Asked, text: string): Mark[] => JSON.parse(asked.marks(text));

/** Shows the parts of expressions. */
const shown = (asked: Asked) =>
  ViewPlugin.fromClass(
    class {
      decorations: DecorationSet;
      constructor(view: EditorView) {
        this.decorations = this.drawn(view);
      }
      update(update: ViewUpdate) {
        if (update.docChanged) this.decorations = this.drawn(update.view);
      }
      drawn(view: EditorView): DecorationSet {
        const builder = new RangeSetBuilder<Decoration>();
        for (const { from, to, what } of marksOf(asked, view.state.doc.toString())) {
          if (from < to && what !== "fault") builder.add(from, to, Decoration.mark({ class: `code-${what}` }));
        }
        return builder.finish();
      }
    },
    { decorations: (plugin) => plugin.decorations },
  );

const faults = (asked: Asked) =>
  linter(
    (view) =>
      marksOf(asked, view.state.doc.toString())
        .filter(({ what }) => what === "fault")
        .map(({ from, to, message }) => ({ from, to, message, severity: "error" as const })),
    { delay: 200 },
  );

const completing = (asked: Asked) => async (context: CompletionContext): Promise<CompletionResult | null> => {
  const text = context.state.doc.toString();
  const before = text.slice(Math.max(0, context.pos - 1), context.pos);
  if (!context.explicit && !/[\w{.|/[(]/.test(before)) return null;
  const answer = await asked.complete(text, context.pos);
  if (!answer) return null;
  const found: Suggestions = JSON.parse(answer);
  return {
    from: found.from,
    to: found.to,
    filter: false,
    options: found.options.map(({ label, detail, info, type, text, caret }) => ({
      label,
      detail,
      type,
      ...(info ? { info } : {}),
      apply: (view: EditorView, _: Completion, from: number, to: number) => {
        const end = Math.max(to, found.to);
        view.dispatch({
          changes: { from, to: end, insert: text },
          selection: { anchor: from + caret },
          userEvent: "input.complete",
        });
      },
    })),
  };
};

type Language = "text" | "json" | "javascript" | "sql";

/** What a text is written in: braces of JavaScript are its own, so nothing is asked about them. */
const written = (language: Language, asked: Asked) => {
  if (language === "javascript") {
    return [StreamLanguage.define(javascript), indentOnInput(), placeholder("return …;")];
  }
  if (language === "sql") {
    return [StreamLanguage.define(pgSQL), indentOnInput(), placeholder("select … where id = $1")];
  }
  return [
    language === "json" ? json() : [],
    shown(asked),
    faults(asked),
    autocompletion({ override: [completing(asked)], icons: false, interactionDelay: 0 }),
    placeholder(language === "json" ? "JSON, with {{ expressions }}" : "Text, with {{ expressions }}"),
  ];
};

/** An open editor, as the page's module holds it. */
export class CodeEditor {
  readonly #view: EditorView;

  constructor(parent: HTMLElement, text: string, label: string, language: Language, describedBy: string, asked: Asked) {
    const nonce = document.querySelector<HTMLScriptElement>("script[nonce]")?.nonce ?? "";
    this.#view = new EditorView({
      parent,
      state: EditorState.create({
        doc: text,
        extensions: [
          EditorView.cspNonce.of(nonce),
          EditorView.contentAttributes.of({ "aria-label": label, "aria-describedby": describedBy, spellcheck: "false" }),
          EditorView.lineWrapping,
          lineNumbers(),
          history(),
          drawSelection(),
          highlightActiveLine(),
          highlightSelectionMatches(),
          bracketMatching(),
          closeBrackets(),
          written(language, asked),
          syntaxHighlighting(colours),
          theme,
          keymap.of([
            ...closeBracketsKeymap,
            ...completionKeymap,
            ...searchKeymap,
            ...historyKeymap,
            ...lintKeymap,
            ...defaultKeymap,
            { key: "Mod-Space", run: startCompletion },
            // Otherwise Tab goes on to the next control, as everywhere.
            { key: "Tab", run: acceptCompletion },
          ]),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) asked.changed(update.state.doc.toString());
          }),
        ],
      }),
    });
    this.#view.focus();
  }

  /** Makes the text another one, unless it is it already. */
  set(text: string): void {
    const now = this.#view.state.doc.toString();
    if (now !== text) this.#view.dispatch({ changes: { from: 0, to: now.length, insert: text } });
  }

  /** Writes a text in place of what is selected. */
  insert(text: string): void {
    this.#view.dispatch(this.#view.state.replaceSelection(text));
    this.#view.focus();
  }

  /** Where the caret is. */
  caret(): number {
    return this.#view.state.selection.main.head;
  }

  close(): void {
    this.#view.destroy();
  }
}
