//! The pictures of the benches: SVG text for light and dark ground, without any library.

use std::fmt::{Display, Write};

/// A colour on light and on dark ground.
pub(super) type Colour = (&'static str, &'static str);

/// A picture under construction. Lengths are pixels, from the left and from the top.
pub(super) struct Picture {
    text: String,
}

impl Picture {
    /// An empty picture. `label` says what it shows to those who cannot see it. Each of the colours becomes a class
    /// `c0`, `c1`, ... for filled shapes and `l0`, `l1`, ... for lines.
    pub(super) fn new(width: usize, height: usize, label: &str, colours: &[Colour]) -> Picture {
        let mut text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" role=\"img\" aria-label=\"{}\">\n<style>\n\
             text {{ font: 13px system-ui, sans-serif; fill: #333 }}\n.head {{ font-weight: 600; font-size: 15px }}\n\
             .small {{ font-size: 11px; fill: #666 }}\n.end {{ text-anchor: end }}\n.middle {{ text-anchor: middle }}\n\
             .line {{ fill: none; stroke-width: 2 }}\n.thin {{ stroke-width: 1.5; stroke-dasharray: 4 4 }}\n\
             .grid {{ stroke: #8884 }}\n.ground {{ fill: #fff }}\n",
            escaped(label)
        );
        let classes = |text: &mut String, colour: &dyn Fn(&Colour) -> &'static str| {
            for (number, pair) in colours.iter().enumerate() {
                let colour = colour(pair);
                let _ = writeln!(text, ".c{number} {{ fill: {colour} }}\n.l{number} {{ stroke: {colour} }}");
            }
        };
        // Writing to a string cannot fail, here and below.
        classes(&mut text, &|(light, _)| light);
        text += "@media (prefers-color-scheme: dark) {\n\
                 text { fill: #ddd }\n.small { fill: #aaa }\n.ground { fill: #1b1b1b }\n";
        classes(&mut text, &|(_, dark)| dark);
        text += "}\n</style>\n";
        let _ = writeln!(text, "<rect class=\"ground\" width=\"{width}\" height=\"{height}\"/>");
        Picture { text }
    }

    /// Writes `text` at a place on its base line.
    pub(super) fn text(&mut self, class: &str, x: impl Display, y: impl Display, text: &str) {
        let text = escaped(text);
        let _ = writeln!(self.text, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>");
    }

    /// A filled rectangle that says `title` under the mouse.
    pub(super) fn bar(&mut self, class: &str, at: (usize, usize), size: (usize, usize), title: &str) {
        let ((x, y), (width, height), title) = (at, size, escaped(title));
        let _ = writeln!(
            self.text,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"><title>{title}</title></rect>"
        );
    }

    /// A line through these points.
    pub(super) fn line(&mut self, class: &str, points: &[(f64, f64)]) {
        let points: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(self.text, "<polyline class=\"{class}\" points=\"{}\"/>", points.join(" "));
    }

    /// A point that says `title` under the mouse.
    pub(super) fn point(&mut self, class: &str, (x, y): (f64, f64), title: &str) {
        let title = escaped(title);
        let _ = writeln!(
            self.text,
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\"><title>{title}</title></circle>"
        );
    }

    /// The text of the SVG file.
    pub(super) fn finish(mut self) -> String {
        self.text += "</svg>\n";
        self.text
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
