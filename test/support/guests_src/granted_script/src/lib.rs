//! A script as a component that uses all that it can be granted.

// As guest/wit/script.wit of the project has it; `wit/granted.wit` puts the worlds together.
wit_bindgen::generate!({ path: "wit", world: "granted", generate_all });

use wasgo::script::log::{Level, log};
use wasgo::script::types::Value;
use wasgo::script::{emit::emit, sql, state};

struct Script;

export!(Script);

/// How often this was called, as the state knows it.
fn count() -> u64 {
    let visits = state::get("visits").map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().unwrap_or_default())) + 1;
    if let Err(words) = state::set("visits", &visits.to_le_bytes()) {
        log(Level::Warning, &words);
    }
    visits
}

impl Guest for Script {
    fn columns() -> Vec<String> {
        log(Level::Debug, "columns");
        Vec::new()
    }

    /// 1 counts, 2 asks for the statement of the row with its other values, 3 counts and fails, 4 counts and traps, 5 logs the row's
    /// texts, 6 forgets; 7 emits.
    fn notification(what: i32, row: Vec<Value>) -> Result<Option<Vec<Value>>, String> {
        match (what, row.split_first()) {
            (1, _) => Ok(Some(vec![Value::Integer(count() as i64)])),
            (2, Some((Value::Text(statement), parameters))) => {
                let rows = sql::query(statement, parameters)?;
                Ok(Some(rows.into_iter().flatten().collect()))
            }
            (3, _) => Err(format!("the {}th", count())),
            (4, _) => panic!("the {}th", count()),
            (5, _) => {
                for value in &row {
                    if let Value::Text(text) = value {
                        log(Level::Info, text);
                    }
                }
                Ok(None)
            }
            (6, _) => {
                state::delete("visits");
                Ok(None)
            }
            (7, _) => {
                emit(b"nobody's");
                Ok(None)
            }
            _ => Ok(Some(row)),
        }
    }

    /// Emits each part of the input that a `|` ends, and returns the rest.
    fn process(input: Vec<u8>) -> Result<Vec<Vec<u8>>, String> {
        let mut parts: Vec<&[u8]> = input.split(|byte| *byte == b'|').collect();
        let last = parts.pop().unwrap_or_default().to_vec();
        parts.into_iter().for_each(emit);
        if last == b"!" { Err("as asked".into()) } else { Ok(vec![last]) }
    }

    fn generate(seed: u64, x: i32, z: i32, lod: u32, parameters: Vec<Value>) -> Result<Vec<u8>, String> {
        log(Level::Error, &format!("{x}, {z}"));
        match parameters.first() {
            Some(Value::Text(text)) => Err(text.clone()),
            _ => Ok(format!("{seed} {x} {z} {lod} {}", parameters.len()).into_bytes()),
        }
    }
}
