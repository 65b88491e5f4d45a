//! The speeds as a picture: tokens a second over the tokens of a forward, one line for each length of the context.

use super::Speeds;
use crate::cli::bench::svg::{Colour, Picture};

/// One for each length of the context; further ones begin again.
const COLOURS: [Colour; 4] =
    [("#1f6fb2", "#5aa9e6"), ("#c2571a", "#f08b4c"), ("#2e8b57", "#4fb27a"), ("#7b4fa3", "#b58ae0")];

const WIDTH: usize = 800;
const HEIGHT: usize = 440;
/// The edges of the plot itself.
const LEFT: f64 = 62.0;
const RIGHT: f64 = 570.0;
const TOP: f64 = 62.0;
const BOTTOM: f64 = 384.0;
/// Labels of lines are at least so far apart.
const LABEL: f64 = 17.0;

/// A line of the picture.
struct Series {
    name: String,
    /// Number of the colour.
    colour: usize,
    /// Dashed.
    dashed: bool,
    /// Tokens of a forward, and tokens a second.
    points: Vec<(usize, f64)>,
}

/// The picture of all speeds, as the text of an SVG file; nothing if nothing was measured.
pub(super) fn svg(speeds: &Speeds) -> Option<String> {
    let series = series(speeds);
    let points = || series.iter().flat_map(|line| &line.points);
    let (least, most) =
        (points().map(|point| point.0).min()? as f64, points().map(|point| point.0).max()? as f64);
    let step = nice_step(points().map(|point| point.1).fold(0.0, f64::max));
    let highest = points().map(|point| point.1).fold(0.0, f64::max).div_euclid(step) * step + step;
    let span = (most / least).log2().max(1.0);
    let x = |tokens: usize| LEFT + (tokens as f64 / least).log2() / span * (RIGHT - LEFT);
    let y = |rate: f64| BOTTOM - rate / highest * (BOTTOM - TOP);

    let mut picture = Picture::new(WIDTH, HEIGHT, "Tokens a second over the tokens of a forward", &COLOURS);
    let title = format!("{}: tokens a second, {} threads, {}", speeds.model, speeds.threads, speeds.kernels);
    picture.text("head", 14, 24, &title);
    let mut note = "solid: Redraft, with every position's most likely next token".to_owned();
    if speeds.llama.is_some() {
        note += "; dashed: llama.cpp, logits of the last position only";
    }
    picture.text("small", 14, 43, &note);
    for tick in 0..=(highest / step).round() as usize {
        let rate = tick as f64 * step;
        picture.line("grid", &[(LEFT, y(rate)), (RIGHT, y(rate))]);
        picture.text("small end", LEFT - 8.0, y(rate) + 4.0, &format!("{rate:.0}"));
    }
    let mut sizes: Vec<usize> = points().map(|point| point.0).collect();
    sizes.sort_unstable();
    sizes.dedup();
    for tokens in sizes {
        picture.line("grid", &[(x(tokens), BOTTOM), (x(tokens), BOTTOM + 4.0)]);
        picture.text("small middle", format!("{:.1}", x(tokens)), BOTTOM + 18.0, &tokens.to_string());
    }
    picture.text("middle", f64::midpoint(LEFT, RIGHT), BOTTOM + 40.0, "tokens in one forward");

    for line in &series {
        let places: Vec<_> = line.points.iter().map(|(tokens, rate)| (x(*tokens), y(*rate))).collect();
        let class = format!("line {}l{}", if line.dashed { "thin " } else { "" }, line.colour);
        picture.line(&class, &places);
        for ((tokens, rate), place) in line.points.iter().zip(&places) {
            let title = format!("{}: {tokens} tokens, {rate:.0} tokens/s", line.name);
            picture.point(&format!("c{}", line.colour), *place, &title);
        }
    }
    let ends: Vec<f64> = series.iter().map(|line| y(line.points[line.points.len() - 1].1)).collect();
    for (line, height) in series.iter().zip(apart(&ends)) {
        picture.text(&format!("c{}", line.colour), RIGHT + 12.0, format!("{:.1}", height + 4.0), &line.name);
    }
    Some(picture.finish())
}

/// The lines, Redraft's first; those without a point are left out.
fn series(speeds: &Speeds) -> Vec<Series> {
    let mut contexts: Vec<usize> = speeds.forwards.iter().map(|forward| forward.context).collect();
    contexts.dedup();
    let name = |context: usize| match context {
        0 => "empty context".to_owned(),
        _ => format!("{context} of context"),
    };
    let own = contexts.iter().enumerate().map(|(number, context)| {
        let of_context = speeds.forwards.iter().filter(|forward| forward.context == *context);
        let points = of_context.map(|forward| (forward.tokens, forward.rate())).collect();
        Series { name: name(*context), colour: number % COLOURS.len(), dashed: false, points }
    });
    let theirs = contexts.iter().enumerate().filter_map(|(number, context)| {
        let rows = speeds.llama.as_ref()?.prefill.iter().filter(|row| row.context == *context);
        let points = rows.map(|row| (row.tokens, row.tokens_per_second)).collect();
        let name = format!("llama.cpp, {}", name(*context));
        Some(Series { name, colour: number % COLOURS.len(), dashed: true, points })
    });
    let mut all: Vec<Series> = own.chain(theirs).filter(|line| !line.points.is_empty()).collect();
    all.iter_mut().for_each(|line| line.points.sort_by_key(|point| point.0));
    all
}

/// The distance of grid lines, 1, 2 or 5 times a power of ten: four to ten of them up to `most`.
fn nice_step(most: f64) -> f64 {
    let rough = (most / 8.0).max(1e-9);
    let power = 10f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|by| by * power).find(|step| *step >= rough).unwrap_or(rough)
}

/// The heights moved as little as keeps them apart.
fn apart(heights: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..heights.len()).collect();
    order.sort_by(|a, b| heights[*a].total_cmp(&heights[*b]));
    let mut moved = heights.to_vec();
    for pair in order.windows(2) {
        moved[pair[1]] = moved[pair[1]].max(moved[pair[0]] + LABEL);
    }
    // What was pushed out below comes back up, and pushes in its turn.
    if let Some(last) = order.last() {
        moved[*last] = moved[*last].min(BOTTOM);
    }
    for pair in order.windows(2).rev() {
        moved[pair[0]] = moved[pair[0]].min(moved[pair[1]] - LABEL);
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::engine::Forward;
    use crate::cli::bench::engine::llama::{Prefill, Rates};

    #[test]
    fn each_context_has_a_line_and_llama_cpp_a_dashed_one() {
        let forward = |tokens, context, seconds| Forward { tokens, context, seconds };
        let mut speeds = Speeds {
            model: "a<b".to_owned(),
            forwards: vec![forward(1, 0, 0.02), forward(64, 0, 0.064), forward(64, 1024, 0.08)],
            ..Speeds::default()
        };
        let text = svg(&speeds).unwrap();
        assert!(text.starts_with("<svg") && text.ends_with("</svg>\n") && text.contains("a&lt;b"), "{text}");
        assert_eq!(text.matches("<polyline class=\"line l").count(), 2);
        assert!(text.contains("empty context: 64 tokens, 1000 tokens/s"), "{text}");
        assert!(!text.contains("llama"), "{text}");

        let prefill = vec![Prefill { tokens: 64, context: 0, tokens_per_second: 300.0 }];
        speeds.llama = Some(Rates { build: "b".to_owned(), decode: 60.0, prefill });
        let text = svg(&speeds).unwrap();
        assert_eq!(text.matches("<polyline class=\"line thin l0").count(), 1, "{text}");
        assert!(svg(&Speeds::default()).is_none());
    }

    #[test]
    fn grid_lines_are_round_and_labels_stay_apart() {
        assert_eq!([nice_step(1150.0), nice_step(35.0), nice_step(8.0)], [200.0, 5.0, 1.0]);
        let moved = apart(&[BOTTOM, BOTTOM - 1.0, 100.0, BOTTOM - 2.0]);
        let mut sorted = moved.clone();
        sorted.sort_by(f64::total_cmp);
        assert!(sorted.windows(2).all(|pair| pair[1] - pair[0] >= LABEL), "{moved:?}");
        assert!((moved[0], moved[2]) == (BOTTOM, 100.0), "in their order, no further than needed: {moved:?}");
    }
}
