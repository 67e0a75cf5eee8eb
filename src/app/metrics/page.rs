//! Prometheus' text form, for what the recorder does not hold.

use std::fmt::Write as _;

use crate::measure::Measure;

/// A label and its value.
pub type Label<'a> = (&'static str, &'a str);

/// A page under way.
#[derive(Debug, Default)]
pub struct Page(String);

impl Page {
    /// One measure with its values; without any it is left out.
    pub fn family<'a, L: AsRef<[Label<'a>]>>(
        &mut self,
        name: &'static str,
        values: impl IntoIterator<Item = (L, f64)>,
    ) {
        let mut head = Measure::named(name);
        for (labels, value) in values {
            if let Some(measure) = head.take() {
                // A String takes everything, here and below.
                let _ = writeln!(self.0, "# HELP {name} {}\n# TYPE {name} {}", measure.help, measure.kind.name());
            }
            self.0.push_str(name);
            let mut open = '{';
            for (label, value) in labels.as_ref() {
                let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
                let _ = write!(self.0, "{open}{label}=\"{value}\"");
                open = ',';
            }
            let close = if open == ',' { "}" } else { "" };
            let _ = writeln!(self.0, "{close} {value}");
        }
    }

    /// One measure without labels.
    pub fn one(&mut self, name: &'static str, value: impl Into<Option<f64>>) {
        self.family(name, value.into().map(|value| ([], value)));
    }

    /// One measure with one label.
    pub fn each<'a>(
        &mut self,
        name: &'static str,
        label: &'static str,
        values: impl IntoIterator<Item = (&'a str, f64)>,
    ) {
        self.family(name, values.into_iter().map(|(of, value)| ([(label, of)], value)));
    }

    pub fn text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure;

    #[test]
    fn values_are_written_as_prometheus_reads_them() {
        let mut page = Page::default();
        page.one(measure::READY, 1.0);
        page.one(measure::TLS_EXPIRY, None);
        page.each(measure::SESSIONS, "state", [("attached", 2.0), ("wai\"t\\ing\n", 0.5)]);
        let text = page.text();
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with("# HELP")).collect();
        assert_eq!(
            lines,
            [
                "# TYPE aigolos_ready gauge",
                "aigolos_ready 1",
                "# TYPE aigolos_sessions gauge",
                "aigolos_sessions{state=\"attached\"} 2",
                "aigolos_sessions{state=\"wai\\\"t\\\\ing\\n\"} 0.5",
            ]
        );
    }
}
