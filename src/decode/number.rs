//! A payload that is one number in text.

use super::DecodeError;

/// Reads `21.5`; `nan`, `inf` and `null` are "no value" (`None`).
///
/// # Errors
/// When the payload is empty or anything else.
pub(super) fn read(payload: &[u8]) -> Result<Option<f64>, DecodeError> {
    let not_a_number = || {
        let found = String::from_utf8_lossy(&payload[..payload.len().min(256)]).chars().take(64).collect();
        DecodeError::NotANumber { found }
    };
    let text = std::str::from_utf8(payload).map_err(|_| not_a_number())?.trim();
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Some(number)),
        // "inf" and "nan" are the sender's words; "1e999" is a number that does not fit and means nothing either.
        Ok(_) => Ok(None),
        Err(_) if text.is_empty() => Err(DecodeError::Empty),
        Err(_) if text == "null" => Ok(None),
        Err(_) => Err(not_a_number()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_number_and_nothing_else_is() {
        let check = |payload: &[u8], expected: Result<Option<f64>, &str>| {
            assert_eq!(read(payload).map_err(|error| error.reason()), expected, "{payload:?}");
        };
        check(b"21.5", Ok(Some(21.5)));
        check(b" -1e3\r\n", Ok(Some(-1000.0)));
        check(b"0", Ok(Some(0.0)));
        check(b"NaN", Ok(None));
        check(b"-inf", Ok(None));
        check(b"null", Ok(None));
        check(b"1e999", Ok(None));
        check(b"", Err("empty"));
        check(b"  \n", Err("empty"));
        check(b"21,5", Err("not_a_number"));
        check(b"21.5 C", Err("not_a_number"));
        check(b"true", Err("not_a_number"));
        check(b"{\"value\":1}", Err("not_a_number"));
        check(&[0xff, 0x00, 0x80], Err("not_a_number"));
    }
}
