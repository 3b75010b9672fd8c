//! Which line of its source a byte of a module's code is of: by the DWARF in the module, or of WAT text by the text.
//!
//! For people who look for the fault in a script: it runs once for an error that is told, and never where a guest waits.

use std::borrow::Cow;

use gimli::{AttributeValue, DebugLine, DebugLineOffset, DebugLineStr, DebugStr, EndianSlice, LittleEndian};
use wasmparser::{Parser, Payload};

use crate::trap::clip;

/// So many rows of line tables are looked at: tables may come from anyone.
const ROWS: usize = 4_000_000;

/// So many bytes before its first instruction are a function's: the sizes of its locals, where a function fails as a whole.
const HEAD: u64 = 16;

/// Characters of a file's name that are kept.
const NAME: usize = 255;

type Bytes<'a> = EndianSlice<'a, LittleEndian>;
type Header<'a> = gimli::LineProgramHeader<Bytes<'a>, usize>;

/// A place in a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The file as the compiler was told of it; empty for WAT text.
    pub file: String,
    /// From 1.
    pub line: u64,
    /// From 1; 0 where it is not known.
    pub column: u64,
}

/// Of each of `offsets`, bytes from the module's start, which line it is of, as far as `source` (a module, or WAT text) says.
pub fn lines(source: &[u8], offsets: &[u64]) -> Vec<Option<Line>> {
    let mut found = vec![None; offsets.len()];
    let mut parser = wat::Parser::new();
    parser.generate_dwarf(wat::GenerateDwarf::Lines);
    if let Ok(wasm) = parser.parse_bytes(None, source) {
        let mut tables = Tables::of(&wasm);
        let is_text = matches!(wasm, Cow::Owned(_));
        if is_text {
            // Tables count from the start of the code section; those of the parser of text leave out the number of functions there.
            tables.code += tables.count_bytes;
        }
        // What a damaged table says before the damage is still worth telling.
        let _ = tables.find(offsets, &mut found);
        if is_text {
            for line in found.iter_mut().flatten() {
                line.file.clear();
            }
        }
    }
    found
}

/// The sections of a module that say of lines.
#[derive(Default)]
struct Tables<'a> {
    code: u64,
    /// Of the number of functions, at the start of the code section.
    count_bytes: u64,
    line: &'a [u8],
    line_str: &'a [u8],
    str: &'a [u8],
}

impl<'a> Tables<'a> {
    fn of(wasm: &'a [u8]) -> Self {
        let mut tables = Self::default();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload {
                Ok(Payload::CodeSectionStart { count, range, .. }) => {
                    tables.code = range.start as u64;
                    tables.count_bytes = u64::from((32 - count.leading_zeros()).div_ceil(7).max(1));
                }
                Ok(Payload::CustomSection(section)) => match section.name() {
                    ".debug_line" => tables.line = section.data(),
                    ".debug_line_str" => tables.line_str = section.data(),
                    ".debug_str" => tables.str = section.data(),
                    _ => {}
                },
                // Components hold modules, each with offsets of its own.
                Ok(Payload::ModuleSection { .. } | Payload::ComponentSection { .. }) | Err(_) => break,
                Ok(_) => {}
            }
        }
        tables
    }

    fn find(&self, offsets: &[u64], found: &mut [Option<Line>]) -> gimli::Result<()> {
        let mut heads = vec![None; offsets.len()];
        let walked = self.walk(offsets, found, &mut heads);
        for (found, head) in found.iter_mut().zip(heads) {
            if found.is_none() {
                *found = head;
            }
        }
        walked
    }

    /// `heads` are of offsets in no row, a little before the first one of a function.
    fn walk(&self, offsets: &[u64], found: &mut [Option<Line>], heads: &mut [Option<Line>]) -> gimli::Result<()> {
        let section = DebugLine::new(self.line, LittleEndian);
        let (mut at, mut left) = (0, ROWS);
        while at < self.line.len() {
            let program = section.program(DebugLineOffset(at), 4, None, None)?;
            let header = program.header();
            let length_size = if header.format() == gimli::Format::Dwarf64 { 12 } else { 4 };
            at = at.saturating_add(length_size).saturating_add(header.unit_length());
            let mut rows = program.rows();
            let mut before: Option<(u64, gimli::LineRow)> = None;
            while let Some((header, row)) = rows.next_row()? {
                left -= 1;
                if left == 0 {
                    return Ok(());
                }
                let (range, place, lines) = match before.take() {
                    Some((address, earlier)) => (address..row.address(), earlier, &mut *found),
                    None => (row.address().saturating_sub(HEAD)..row.address(), *row, &mut *heads),
                };
                for (offset, line) in offsets.iter().zip(lines.iter_mut()) {
                    if line.is_none() && range.contains(&offset.wrapping_sub(self.code)) {
                        *line = self.line(header, &place);
                    }
                }
                before = (!row.end_sequence()).then(|| (row.address(), *row));
            }
        }
        Ok(())
    }

    fn line(&self, header: &Header<'a>, row: &gimli::LineRow) -> Option<Line> {
        let line = row.line()?.get();
        let column = match row.column() {
            gimli::ColumnType::LeftEdge => 0,
            gimli::ColumnType::Column(column) => column.get(),
        };
        let file = row.file(header).map(|file| self.text(file.path_name())).unwrap_or_default();
        Some(Line { file: clip(&file, NAME), line, column })
    }

    fn text(&self, value: AttributeValue<Bytes<'a>>) -> String {
        let bytes = match value {
            AttributeValue::String(bytes) => Ok(bytes),
            AttributeValue::DebugLineStrRef(at) => {
                DebugLineStr::from(EndianSlice::new(self.line_str, LittleEndian)).get_str(at)
            }
            AttributeValue::DebugStrRef(at) => DebugStr::from(EndianSlice::new(self.str, LittleEndian)).get_str(at),
            _ => return String::new(),
        };
        bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, Tables, lines};

    const TEXT: &str = "(module\n  (func (export \"a\") (param i32) (result i32)\n    local.get 0\n    i32.eqz\n    (if (then unreachable))\n    i32.const 7))";

    fn offset_of(wasm: &[u8], opcode: u8) -> u64 {
        let code = Tables::of(wasm).code as usize;
        (code + wasm[code..].iter().position(|byte| *byte == opcode).unwrap()) as u64
    }

    #[test]
    fn an_instruction_of_text_is_found_on_its_line() {
        let wasm = wat::parse_str(TEXT).unwrap();
        let found = lines(TEXT.as_bytes(), &[offset_of(&wasm, 0x45), u64::MAX, 0]);
        assert_eq!(found[0], Some(Line { file: String::new(), line: 4, column: 5 }));
        assert_eq!(found[1..], [None, None]);
    }

    #[test]
    fn the_head_of_a_function_is_on_the_line_of_its_first_instruction() {
        let wasm = wat::parse_str(TEXT).unwrap();
        // Before `local.get`: how many kinds of locals there are.
        let found = lines(TEXT.as_bytes(), &[offset_of(&wasm, 0x20) - 1]);
        assert_eq!(found[0], Some(Line { file: String::new(), line: 3, column: 5 }));
    }

    #[test]
    fn an_instruction_of_the_last_of_many_functions_is_found_on_its_line() {
        let text = format!("(module{}\n(func\n  (drop (i32.eqz\n    (i32.const 1)))))", "\n(func)".repeat(200));
        let wasm = wat::parse_str(&text).unwrap();
        let found = lines(text.as_bytes(), &[offset_of(&wasm, 0x45)]);
        assert_eq!(found[0].as_ref().map(|line| line.line), Some(203));
    }

    #[test]
    fn a_module_with_tables_names_its_file() {
        let mut parser = wat::Parser::new();
        parser.generate_dwarf(wat::GenerateDwarf::Lines);
        let wasm = parser.parse_str(Some("hop.wat".as_ref()), TEXT).unwrap();
        // These tables leave out the number of functions, one byte: compilers' do not.
        let found = lines(&wasm, &[offset_of(&wasm, 0x45) - 1]);
        assert_eq!(found, [Some(Line { file: "hop.wat".into(), line: 4, column: 5 })]);
    }

    #[test]
    fn what_has_no_tables_or_broken_ones_or_is_no_module_has_no_lines() {
        let wasm = wat::parse_str(TEXT).unwrap();
        assert_eq!(lines(&wasm, &[offset_of(&wasm, 0x45)]), [None]);
        assert_eq!(lines(b"(module", &[1]), [None]);
        assert_eq!(lines(b"", &[1]), [None]);
        let mut parser = wat::Parser::new();
        parser.generate_dwarf(wat::GenerateDwarf::Lines);
        let whole = parser.parse_str(None, TEXT).unwrap();
        for at in 8..whole.len() {
            let mut broken = whole.clone();
            broken[at] ^= 0x55;
            let _ = lines(&broken, &[40]);
            let _ = lines(&whole[..at], &[40]);
        }
    }
}
