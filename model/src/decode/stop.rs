//! Stop strings in a stream: text that may be the beginning of one is held back until that is known.

/// Looks for the first of several strings in a stream of text.
pub(super) struct StopStrings {
    stops: Vec<String>,
    held: String,
}

impl StopStrings {
    /// Empty strings stop nothing.
    pub(super) fn new(mut stops: Vec<String>) -> Self {
        stops.retain(|stop| !stop.is_empty());
        StopStrings { stops, held: String::new() }
    }

    /// Adds `new` to the stream and what can be told for sure to `out`; true if a stop string is complete.
    pub(super) fn push(&mut self, new: &str, out: &mut String) -> bool {
        self.held.push_str(new);
        if let Some(at) = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min() {
            out.push_str(&self.held[..at]);
            self.held.clear();
            return true;
        }
        let keep = self.stops.iter().map(|stop| longest_overlap(&self.held, stop)).max().unwrap_or(0);
        let sure = self.held.len() - keep;
        out.push_str(&self.held[..sure]);
        self.held.drain(..sure);
        false
    }

    /// The end of the stream: what was held back is text after all.
    pub(super) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// Length of the longest end of `text` that begins `stop`.
fn longest_overlap(text: &str, stop: &str) -> usize {
    let longest = stop.len().min(text.len());
    (1..=longest)
        .rev()
        .find(|len| stop.is_char_boundary(*len) && text.as_bytes().ends_with(&stop.as_bytes()[..*len]))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_stop_string_across_pieces_is_found_and_its_beginning_held_back() {
        let mut stop = StopStrings::new(vec!["\n```".to_owned()]);
        let mut out = String::new();
        assert!(!stop.push("a\n``", &mut out));
        assert_eq!(out, "a");
        assert!(!stop.push("b\n", &mut out));
        assert_eq!(out, "a\n``b");
        assert!(stop.push("```rust", &mut out));
        assert_eq!(out, "a\n``b");
    }

    proptest! {
        #[test]
        fn the_stream_equals_the_whole_text_up_to_the_first_stop(
            pieces in prop::collection::vec("[ab\n`é]{0,4}", 0..12)
        ) {
            let whole: String = pieces.concat();
            let mut stop = StopStrings::new(vec!["\n`".to_owned(), "éa".to_owned()]);
            let mut out = String::new();
            let stopped = pieces.iter().any(|piece| stop.push(piece, &mut out));
            if !stopped {
                out.push_str(&stop.finish());
            }
            let first = ["\n`", "éa"].iter().filter_map(|s| whole.find(s)).min();
            prop_assert_eq!(stopped, first.is_some());
            prop_assert_eq!(out, &whole[..first.unwrap_or(whole.len())]);
        }
    }
}
