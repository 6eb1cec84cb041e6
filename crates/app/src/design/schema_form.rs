//! A form made from a catalog entry's schema: for the triggers and for every step.
//!
//! What is typed is never touched while it is typed: an input writes its own text, tells what it
//! means through `on_change`, and is only overwritten when the configuration becomes something
//! else than what was told last (undo, someone else's edit, a rename that followed). So the
//! owner's `config` must follow `on_change` before it changes in another way.

mod choice;
mod connection;
mod integration;
mod map;
mod named;
mod text;
mod zone;

use domain::schema::{Field, FieldKind, Format, Schema};
use domain::validate::Problem;
use leptos::prelude::*;
use serde_json::{Map, Value};

use super::unique;
use crate::field::Expressions;
use crate::presence;
use text::{Control, Shape};

/// A form for the fields of a schema.
#[component]
pub fn SchemaForm(
    /// The declaration.
    schema: &'static Schema,
    /// The configuration that the fields show.
    #[prop(into)]
    config: Signal<Map<String, Value>>,
    /// What is wrong; each problem is shown at the field that it names.
    #[prop(into)]
    problems: Signal<Vec<Problem>>,
    /// Told the name of a field and its new value, `None` when it has none any more.
    #[prop(into)]
    on_change: Callback<(String, Option<Value>)>,
    /// What stands before the names of fields in problems: `trigger.` for a trigger.
    #[prop(optional, into)]
    prefix: String,
) -> impl IntoView {
    let form = Form {
        config,
        problems,
        on_change,
        takes_expressions: !prefix.starts_with("trigger"),
        expressions: use_context().filter(|_| !prefix.starts_with("trigger")),
        prefix: StoredValue::new(prefix),
    };
    let fields = schema.fields.iter().map(|field| form.field(field));
    view! { <div class="schema-form">{fields.collect::<Vec<_>>()}</div> }
}

#[derive(Clone, Copy)]
struct Form {
    config: Signal<Map<String, Value>>,
    problems: Signal<Vec<Problem>>,
    on_change: Callback<(String, Option<Value>)>,
    takes_expressions: bool,
    expressions: Option<Expressions>,
    prefix: StoredValue<String>,
}

impl Form {
    fn field(self, field: &'static Field) -> AnyView {
        let id = unique(&field.name);
        let config = self.config;
        let value = Memo::new(move |_| config.with(|config| config.get(&field.name).cloned()));
        let applies = Memo::new(move |_| config.with(|config| field.applies(config)));
        let problems = self.problems_of(field);
        let message = Memo::new(move |_| {
            let whole = |problem: &&Problem| {
                problem.at.entry.is_none() || !matches!(field.kind, FieldKind::Map { .. })
            };
            problems.with(|all| all.iter().find(whole).map(sentence))
        });
        let on_change = self.on_change;
        let control = Control {
            id: id.clone(),
            value: value.into(),
            emit: Callback::new(move |value| on_change.run((field.name.clone(), value))),
            is_invalid: Signal::derive(move || message.get().is_some()),
            placeholder: placeholder(field),
            label: None,
            title: field.title.clone(),
            expressions: self.expressions,
        };
        let example = example(field, &control);
        let inner = self.control(field, control, problems);
        let name = view! {
            {field.title.clone()}
            {(!field.required).then(|| view! { <span class="optional">" optional"</span> })}
        };
        let below = view! {
            <p class="field-help" id=format!("{id}-help")>
                {field.help.clone()}
            </p>
            <p class="field-problem" id=format!("{id}-problem")>
                {move || message.get()}
            </p>
        };
        if matches!(field.kind, FieldKind::Map { .. }) {
            view! {
                <fieldset
                    class="field"
                    data-field=field.name.clone()
                    hidden=move || !applies.get()
                    aria-describedby=super::field::described(&id)
                >
                    <legend>{name} {presence::in_field(&field.name)}</legend>
                    {inner}
                    {example}
                    {below}
                </fieldset>
            }
            .into_any()
        } else {
            view! {
                <div class="field" data-field=field.name.clone() hidden=move || !applies.get()>
                    <div class="field-head">
                        <label for=id.clone()>{name}</label>
                        {presence::in_field(&field.name)}
                        {example}
                    </div>
                    {inner}
                    {below}
                </div>
            }
            .into_any()
        }
    }

    fn problems_of(self, field: &'static Field) -> Memo<Vec<Problem>> {
        let full = self
            .prefix
            .with_value(|prefix| format!("{prefix}{}", field.name));
        Memo::new(move |_| {
            self.problems.with(|all| {
                let here = |problem: &&Problem| {
                    problem.at.lane.is_none() && problem.at.field.as_deref() == Some(&*full)
                };
                all.iter().filter(here).cloned().collect()
            })
        })
    }

    fn control(
        self,
        field: &'static Field,
        control: Control,
        problems: Memo<Vec<Problem>>,
    ) -> AnyView {
        match &field.kind {
            FieldKind::Text {
                format: Some(Format::TimeZone),
                ..
            } => zone::control(control),
            FieldKind::Text {
                format: Some(Format::Cron),
                ..
            } => text::cron(control),
            FieldKind::Text {
                multiline: false,
                format,
                ..
            } => {
                let shape = if format.is_some() {
                    Shape::CodeLine
                } else {
                    Shape::Line
                };
                text::control(control, shape, text::show, text::read)
            }
            FieldKind::Text { .. } => text::control(control, Shape::Lines, text::show, text::read),
            FieldKind::Number { .. } => {
                text::control(control, Shape::Number, text::show, text::read_number)
            }
            FieldKind::Condition => {
                text::control(control, Shape::Condition, text::show, text::read_condition)
            }
            FieldKind::List => text::control(control, Shape::CodeLine, text::show, text::read_list),
            FieldKind::Json => text::control(control, Shape::Code, text::show_json, text::read),
            FieldKind::Code(language) => {
                text::control(control, Shape::Script(*language), text::show, text::read)
            }
            FieldKind::Choice(options) => {
                choice::control(control, field, options, self.takes_expressions)
            }
            FieldKind::Map { .. } => map::control(control, field, problems),
            FieldKind::Connection => connection::control(control, field),
            FieldKind::Integration => integration::control(control, field),
        }
    }
}

/// Draws the button that fills an empty field with the schema's example. Its place stays when it
/// goes, so that nothing jumps.
fn example(field: &'static Field, control: &Control) -> Option<AnyView> {
    let example = field.example.as_ref()?;
    if matches!(
        field.kind,
        FieldKind::Choice(_) | FieldKind::Integration | FieldKind::Connection
    ) {
        return None;
    }
    let (value, emit, id) = (control.value, control.emit, control.id.clone());
    let is_empty = Memo::new(move |_| value.with(Option::is_none));
    let fill = move |_| {
        emit.run(Some(example.clone()));
        super::focus_soon(id.clone());
    };
    let label = format!("Use the example for {}", field.title);
    Some(
        view! {
            <button
                type="button"
                class="link field-example"
                class:is-gone=move || !is_empty.get()
                aria-label=label
                title=text::show(example)
                on:click=fill
            >
                "Use the example"
            </button>
        }
        .into_any(),
    )
}

/// The input of a condition that stands in no schema, such as that of a lane.
pub(crate) struct Condition {
    /// Id of the input.
    pub(crate) id: String,
    /// What it is called.
    pub(crate) title: String,
    /// The condition now.
    pub(crate) value: Signal<String>,
    /// Told the new condition.
    pub(crate) emit: Callback<String>,
    /// Whether something is wrong with it.
    pub(crate) is_invalid: Signal<bool>,
    /// An example, shown while it is empty.
    pub(crate) placeholder: &'static str,
}

impl Condition {
    /// Draws the input, with what helps to write an expression.
    pub(crate) fn draw(self) -> AnyView {
        let (value, emit) = (self.value, self.emit);
        let control = Control {
            id: self.id,
            value: Signal::derive(move || Some(Value::from(value.get()))),
            emit: Callback::new(move |new: Option<Value>| {
                emit.run(new.as_ref().map(text::show).unwrap_or_default());
            }),
            is_invalid: self.is_invalid,
            placeholder: self.placeholder.to_owned(),
            label: None,
            title: self.title,
            expressions: use_context(),
        };
        text::control(control, Shape::Condition, text::show, map::read_all)
    }
}

fn sentence(problem: &Problem) -> String {
    format!("{} {}", problem.message, problem.mend)
}

fn placeholder(field: &Field) -> String {
    let shown = field.example.as_ref().or(field.default.as_ref());
    match (&field.kind, shown) {
        (FieldKind::Map { .. } | FieldKind::Choice(_), _) | (_, None) => String::new(),
        (_, Some(value)) => text::show(value),
    }
}
