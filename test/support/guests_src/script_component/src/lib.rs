//! A script as a component: it returns its row or buffer as it is, and has ways to fail.

// As guest/wit/script.wit of the project has it.
wit_bindgen::generate!({ path: "wit", world: "script" });

use wasgo::script::types::Value;

struct Script;

export!(Script);

impl Guest for Script {
    fn columns() -> Vec<String> {
        vec!["a".into(), "b".into()]
    }

    /// 98 changes nothing, 99 traps, 97 loops, 96 fails with words.
    fn notification(what: i32, row: Vec<Value>) -> Result<Option<Vec<Value>>, String> {
        match what {
            99 => panic!("as asked"),
            98 => Ok(None),
            97 => loop {
                std::hint::black_box(0);
            },
            96 => Err("not today".into()),
            _ => match row.first() {
                Some(Value::Integer(7)) => panic!("seven"),
                _ => Ok(Some(row)),
            },
        }
    }

    /// Cuts at each `|`; `!` fails.
    fn process(input: Vec<u8>) -> Result<Vec<Vec<u8>>, String> {
        match input.first() {
            None => Ok(Vec::new()),
            Some(b'!') => Err("no".into()),
            Some(_) => Ok(input.split(|byte| *byte == b'|').map(<[u8]>::to_vec).collect()),
        }
    }

    fn generate(seed: u64, x: i32, z: i32, lod: u32, _parameters: Vec<Value>) -> Result<Vec<u8>, String> {
        Ok(format!("{seed} {x} {z} {lod}").into_bytes())
    }
}
