//! Types as text, in the words of WIT.

use wasmtime::component::ResourceType;
use wasmtime::component::types::{ComponentFunc, ComponentItem, Type};

/// Bytes of a type's text. A type can name others many times over, so that its whole text might fill the memory.
const MAX_TEXT: usize = 1 << 10;

/// Names of resources: types have none of their own.
pub(super) type ResourceNames = [(ResourceType, Box<str>)];

/// The name of a resource's type.
pub(super) fn resource_name(names: &ResourceNames, ty: ResourceType) -> &str {
    names.iter().find(|(other, _)| *other == ty).map_or("resource", |(_, name)| name)
}

/// A type as text, such as `list<record { name: string, age: u8 }>`. Very long ones are cut short.
pub fn describe_type(ty: &Type, names: &[(ResourceType, Box<str>)]) -> String {
    let mut text = Text { out: String::new(), names };
    text.ty(ty);
    text.out
}

/// The kind of an import or export, and its type as text.
pub(super) fn describe_item(item: &ComponentItem, names: &ResourceNames) -> (&'static str, String) {
    match item {
        ComponentItem::ComponentFunc(function) => ("func", describe_function(function, names)),
        ComponentItem::CoreFunc(_) => ("core_func", String::new()),
        ComponentItem::Module(_) => ("module", String::new()),
        ComponentItem::Component(_) => ("component", String::new()),
        ComponentItem::ComponentInstance(_) => ("instance", String::new()),
        ComponentItem::Type(ty) => ("type", describe_type(ty, names)),
        ComponentItem::Resource(_) => ("resource", String::new()),
    }
}

/// A function's type as text: `func(a: u8) -> string`.
pub(super) fn describe_function(function: &ComponentFunc, names: &ResourceNames) -> String {
    let mut text = Text { out: String::new(), names };
    if function.async_() {
        text.add("async ");
    }
    text.add("func(");
    text.list(function.params(), |text, (name, ty)| {
        text.add(name);
        text.add(": ");
        text.ty(&ty);
    });
    text.add(")");
    if let Some(result) = function.results().next() {
        text.add(" -> ");
        text.ty(&result);
    }
    text.out
}

struct Text<'a> {
    out: String,
    names: &'a ResourceNames,
}

impl Text<'_> {
    fn is_full(&self) -> bool {
        self.out.len() >= MAX_TEXT
    }

    fn add(&mut self, text: &str) {
        if !self.is_full() {
            self.out.push_str(text);
            if self.is_full() {
                self.out.push_str("...");
            }
        }
    }

    fn list<T>(&mut self, items: impl Iterator<Item = T>, mut each: impl FnMut(&mut Self, T)) {
        for (index, item) in items.enumerate() {
            if self.is_full() {
                return;
            }
            if index > 0 {
                self.add(", ");
            }
            each(self, item);
        }
    }

    fn named<T>(&mut self, kind: &str, items: impl Iterator<Item = T>, each: impl FnMut(&mut Self, T)) {
        self.add(kind);
        self.add(" { ");
        self.list(items, each);
        self.add(" }");
    }

    fn of(&mut self, kind: &str, types: impl IntoIterator<Item = Option<Type>>) {
        self.add(kind);
        self.add("<");
        self.list(types.into_iter(), |text, ty| match ty {
            Some(ty) => text.ty(&ty),
            None => text.add("_"),
        });
        self.add(">");
    }

    fn ty(&mut self, ty: &Type) {
        if self.is_full() {
            return;
        }
        match ty {
            Type::Bool => self.add("bool"),
            Type::S8 => self.add("s8"),
            Type::U8 => self.add("u8"),
            Type::S16 => self.add("s16"),
            Type::U16 => self.add("u16"),
            Type::S32 => self.add("s32"),
            Type::U32 => self.add("u32"),
            Type::S64 => self.add("s64"),
            Type::U64 => self.add("u64"),
            Type::Float32 => self.add("f32"),
            Type::Float64 => self.add("f64"),
            Type::Char => self.add("char"),
            Type::String => self.add("string"),
            Type::List(list) => self.of("list", [Some(list.ty())]),
            Type::Map(map) => self.of("map", [Some(map.key()), Some(map.value())]),
            Type::Record(record) => self.named("record", record.fields(), |text, field| {
                text.add(field.name);
                text.add(": ");
                text.ty(&field.ty);
            }),
            Type::Tuple(tuple) => self.of("tuple", tuple.types().map(Some)),
            Type::Variant(variant) => self.named("variant", variant.cases(), |text, case| {
                text.add(case.name);
                if let Some(ty) = &case.ty {
                    text.add("(");
                    text.ty(ty);
                    text.add(")");
                }
            }),
            Type::Enum(names) => self.named("enum", names.names(), |text, name| text.add(name)),
            Type::Option(option) => self.of("option", [Some(option.ty())]),
            Type::Result(result) => match (result.ok(), result.err()) {
                (None, None) => self.add("result"),
                (ok, None) => self.of("result", [ok]),
                (ok, err) => self.of("result", [ok, err]),
            },
            Type::Flags(flags) => self.named("flags", flags.names(), |text, name| text.add(name)),
            Type::Own(resource) => self.add(resource_name(self.names, *resource)),
            Type::Borrow(resource) => {
                self.add("borrow<");
                self.add(resource_name(self.names, *resource));
                self.add(">");
            }
            Type::Future(future) => self.of("future", [future.ty()]),
            Type::Stream(stream) => self.of("stream", [stream.ty()]),
            Type::ErrorContext => self.add("error-context"),
            Type::FixedLengthList(list) => {
                self.add("list<");
                self.ty(&list.ty());
                self.add(&format!(", {}>", list.len()));
            }
        }
    }
}
