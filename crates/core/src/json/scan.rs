//! Where the values of a JSON text begin and end: without recursion, and without reading what nobody asks for.
//!
//! The grammar is that of RFC 8259 for everything that separates values. What stands in a text or in a bare word is not
//! looked at: bytes that are not UTF-8, half a surrogate pair, a number out of range and words such as `NaN` are found out
//! when somebody reads that value.

/// Where the value that begins at or after `at` has its end; otherwise where the text is no JSON any more.
pub(super) fn end_of_value(text: &[u8], at: usize) -> Result<usize, usize> {
    // The brackets that close what is open: on the heap, so that no nesting is too deep.
    let mut open = Vec::new();
    let mut at = at;
    loop {
        at = after_space(text, at);
        match text.get(at) {
            Some(b'{') => match after_space(text, at + 1) {
                end if text.get(end) == Some(&b'}') => at = end + 1,
                name => {
                    open.push(b'}');
                    at = end_of_name(text, name)?.1;
                    continue;
                }
            },
            Some(b'[') => match after_space(text, at + 1) {
                end if text.get(end) == Some(&b']') => at = end + 1,
                item => {
                    open.push(b']');
                    at = item;
                    continue;
                }
            },
            Some(b'"') => at = end_of_text(text, at)?,
            _ => at = end_of_word(text, at)?,
        }
        // A value has ended, and with it perhaps what it was the last of.
        loop {
            let Some(&bracket) = open.last() else { return Ok(at) };
            at = after_space(text, at);
            match text.get(at) {
                Some(b',') if bracket == b'}' => {
                    at = end_of_name(text, after_space(text, at + 1))?.1;
                    break;
                }
                Some(b',') => {
                    at += 1;
                    break;
                }
                Some(found) if *found == bracket => {
                    open.pop();
                    at += 1;
                }
                _ => return Err(at),
            }
        }
    }
}

/// The members of an object that [`end_of_value`] has seen the end of: each name as it is written between its quotes, and
/// each value.
pub(super) fn members(object: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut members = Vec::new();
    let mut at = 1;
    // Ends at the closing bracket, where no name begins.
    while let Ok((end_of_name, before_value)) = end_of_name(object, after_space(object, at)) {
        let (name, value) = (after_space(object, at) + 1..end_of_name - 1, after_space(object, before_value));
        let Ok(end) = end_of_value(object, value) else { break };
        members.push((&object[name], &object[value..end]));
        // Over the comma.
        at = after_space(object, end) + 1;
    }
    members
}

/// Over white space (RFC 8259, section 2).
pub(super) fn after_space(text: &[u8], at: usize) -> usize {
    let space = text[at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    at + space.count()
}

/// Where the name at `at` ends, and where the colon behind it does.
fn end_of_name(text: &[u8], at: usize) -> Result<(usize, usize), usize> {
    if text.get(at) != Some(&b'"') {
        return Err(at);
    }
    let end = end_of_text(text, at)?;
    match after_space(text, end) {
        colon if text.get(colon) == Some(&b':') => Ok((end, colon + 1)),
        other => Err(other),
    }
}

fn end_of_text(text: &[u8], quote: usize) -> Result<usize, usize> {
    let mut at = quote + 1;
    loop {
        match text.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
            None => return Err(text.len()),
        }
    }
}

fn end_of_word(text: &[u8], at: usize) -> Result<usize, usize> {
    let in_word = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b'_');
    match text.get(at..).map_or(0, |rest| rest.iter().take_while(in_word).count()) {
        0 => Err(at),
        length => Ok(at + length),
    }
}
