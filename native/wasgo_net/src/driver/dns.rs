//! Queries for names, and answers to them. Read and written by hand: one question, and no name but that of the question.

use std::net::Ipv4Addr;

use crate::rules::{MAX_NAME, is_host_name};

const HEADER: usize = 12;

/// How long a guest may keep an answer, in seconds.
const TTL: u32 = 60;

const TYPE_A: u16 = 1;
const CLASS_IN: u16 = 1;

/// A question, in a datagram.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Query<'a> {
    id: u16,
    recursion_desired: bool,
    /// Whether it is a standard query, and not an update or the like.
    standard: bool,
    /// The question as it came: it goes back as it is, since some compare the case of letters.
    question: &'a [u8],
    /// In lower case, without a dot at the end.
    name: String,
    kind: u16,
    class: u16,
}

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Address(Ipv4Addr),
    /// The name is there, but nothing of the kind that was asked for.
    Nothing,
    /// There is no such name.
    NoName,
    /// That is not known here.
    NotImplemented,
}

/// Reads a query; none if it is malformed, or no query.
pub(crate) fn parse(message: &[u8]) -> Option<Query<'_>> {
    let (header, rest) = message.split_first_chunk::<HEADER>()?;
    let word = |index: usize| u16::from_be_bytes([header[index], header[index + 1]]);
    let flags = word(2);
    let is_response = flags & 0x8000 != 0;
    if is_response || word(4) != 1 {
        return None;
    }
    let (name, length) = name(rest)?;
    let (kind_and_class, _) = rest.get(length..)?.split_first_chunk::<4>()?;
    Some(Query {
        id: word(0),
        recursion_desired: flags & 0x0100 != 0,
        standard: flags & 0x7800 == 0,
        question: &rest[..length + 4],
        name,
        kind: u16::from_be_bytes([kind_and_class[0], kind_and_class[1]]),
        class: u16::from_be_bytes([kind_and_class[2], kind_and_class[3]]),
    })
}

/// Reads a name, and how many bytes it takes. A pointer in the place of a label has nowhere to point to in a question, and is refused.
fn name(bytes: &[u8]) -> Option<(String, usize)> {
    let mut name = String::new();
    let mut at = 0;
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1;
        match length {
            0 => return Some((name, at)),
            1..=63 => {}
            _ => return None,
        }
        let label = bytes.get(at..at + length)?;
        at += length;
        if !name.is_empty() {
            name.push('.');
        }
        // What is not ASCII, or is a dot, must not become a name that is allowed: no host name has a NUL.
        name.extend(
            label.iter().map(|&byte| {
                if byte.is_ascii() && byte != b'.' { char::from(byte.to_ascii_lowercase()) } else { '\0' }
            }),
        );
        if name.len() > MAX_NAME {
            return None;
        }
    }
}

/// What to answer, given whether a name is known, and its address.
pub(crate) fn answer(
    query: &Query<'_>,
    known: impl FnOnce(&str) -> bool,
    address: impl FnOnce(&str) -> Ipv4Addr,
) -> Answer {
    if !query.standard || query.class != CLASS_IN {
        Answer::NotImplemented
    } else if !is_host_name(&query.name) || !known(&query.name) {
        Answer::NoName
    } else if query.kind == TYPE_A {
        Answer::Address(address(&query.name))
    } else {
        // In particular to AAAA: the guest then goes on with the address that it has.
        Answer::Nothing
    }
}

/// Writes an answer.
pub(crate) fn emit(query: &Query<'_>, answer: Answer) -> Vec<u8> {
    let code = match answer {
        Answer::Address(_) | Answer::Nothing => 0,
        Answer::NoName => 3,
        Answer::NotImplemented => 4,
    };
    // A response, with the authority of the one server that there is, and recursion, as far as there is anywhere to ask.
    let flags = 0x8480 | code | if query.recursion_desired { 0x0100 } else { 0 };
    let answers = u16::from(matches!(answer, Answer::Address(_)));
    let mut message = Vec::with_capacity(HEADER + query.question.len() + 16);
    for word in [query.id, flags, 1, answers, 0, 0] {
        message.extend_from_slice(&u16::to_be_bytes(word));
    }
    message.extend_from_slice(query.question);
    if let Answer::Address(address) = answer {
        let name = 0xc000 | HEADER as u16;
        for word in [name, TYPE_A, CLASS_IN] {
            message.extend_from_slice(&word.to_be_bytes());
        }
        message.extend_from_slice(&TTL.to_be_bytes());
        message.extend_from_slice(&4_u16.to_be_bytes());
        message.extend_from_slice(&address.octets());
    }
    message
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TYPE_AAAA: u16 = 28;

    fn query(labels: &[&[u8]], kind: u16, class: u16) -> Vec<u8> {
        let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in labels {
            message.push(label.len() as u8);
            message.extend_from_slice(label);
        }
        message.push(0);
        message.extend_from_slice(&kind.to_be_bytes());
        message.extend_from_slice(&class.to_be_bytes());
        message
    }

    const ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);

    fn answered(message: &[u8]) -> Option<Answer> {
        parse(message).map(|query| answer(&query, |name| name == "example.com", |_| ADDRESS))
    }

    #[test]
    fn names_are_read_in_lower_case_and_questions_given_back_as_they_came() {
        let message = query(&[b"ExamPle", b"COM"], TYPE_A, CLASS_IN);
        let read = parse(&message).unwrap();
        assert_eq!(read.name, "example.com");
        let answer = emit(&read, Answer::Address(ADDRESS));
        assert_eq!(answer[..12], [0x12, 0x34, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
        assert_eq!(answer[12..message.len()], message[12..]);
        assert_eq!(answer[message.len()..], [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 198, 18, 0, 1]);
    }

    #[test]
    fn each_kind_of_question_has_its_answer() {
        let ours: &[&[u8]] = &[b"example", b"com"];
        assert_eq!(answered(&query(ours, TYPE_A, CLASS_IN)), Some(Answer::Address(ADDRESS)));
        assert_eq!(answered(&query(ours, TYPE_AAAA, CLASS_IN)), Some(Answer::Nothing));
        assert_eq!(answered(&query(ours, 15, CLASS_IN)), Some(Answer::Nothing));
        assert_eq!(answered(&query(ours, TYPE_A, 3)), Some(Answer::NotImplemented));
        assert_eq!(answered(&query(&[b"example", b"org"], TYPE_A, CLASS_IN)), Some(Answer::NoName));
        assert_eq!(answered(&query(&[], TYPE_A, CLASS_IN)), Some(Answer::NoName));
        let mut update = query(ours, TYPE_A, CLASS_IN);
        update[2] = 0x28;
        assert_eq!(answered(&update), Some(Answer::NotImplemented));
    }

    #[test]
    fn a_dot_within_a_label_is_none_between_labels() {
        assert_eq!(answered(&query(&[b"example.com"], TYPE_A, CLASS_IN)), Some(Answer::NoName));
        assert_eq!(answered(&query(&["ex\u{e4}mple".as_bytes(), b"com"], TYPE_A, CLASS_IN)), Some(Answer::NoName));
    }

    #[test]
    fn pointers_lengths_beyond_the_end_and_responses_are_malformed() {
        let good = query(&[b"example", b"com"], TYPE_A, CLASS_IN);
        for length in 0..good.len() {
            assert_eq!(parse(&good[..length]), None);
        }
        let mut pointer = good.clone();
        pointer[12] = 0xc0;
        assert_eq!(parse(&pointer), None);
        let mut response = good.clone();
        response[2] |= 0x80;
        assert_eq!(parse(&response), None);
        let mut two = good.clone();
        two[5] = 2;
        assert_eq!(parse(&two), None);
        let long = [b'a'; 63];
        assert_eq!(parse(&query(&[long.as_slice(); 4], TYPE_A, CLASS_IN)), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            if let Some(query) = parse(&bytes) {
                prop_assert!(query.name.len() <= MAX_NAME);
                let answer = answer(&query, |_| true, |_| ADDRESS);
                prop_assert!(emit(&query, answer).len() <= bytes.len() + 16);
            }
        }

        #[test]
        fn any_name_of_a_question_is_read(
            labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..64), 0..10), kind: u16, class: u16,
        ) {
            let labels: Vec<&[u8]> = labels.iter().map(Vec::as_slice).collect();
            let message = query(&labels, kind, class);
            let fits = labels.iter().map(|label| label.len() + 1).sum::<usize>() <= MAX_NAME + 1;
            match parse(&message) {
                Some(read) => {
                    prop_assert!(fits);
                    prop_assert_eq!((read.kind, read.class, read.question), (kind, class, &message[12..]));
                }
                None => prop_assert!(!fits),
            }
        }
    }
}
