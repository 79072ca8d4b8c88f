//! Decay slopes against their closed form.

use thunderhead::model::lightning_slopes;

fn closed_form(heads: usize, head: usize) -> f64 {
    let below = 1 << heads.ilog2();
    if head < below {
        2_f64.powf(-8.0 * (head + 1) as f64 / below as f64)
    } else {
        2_f64.powf(-8.0 * (2 * (head - below) + 1) as f64 / (2 * below) as f64)
    }
}

#[test]
fn follow_the_closed_form() {
    for heads in [1, 2, 3, 5, 6, 8, 12, 16, 32, 48, 64] {
        for (layer, layers) in [
            (0, 1),
            (0, 2),
            (1, 2),
            (0, 8),
            (3, 8),
            (6, 8),
            (17, 33),
            (0, 80),
            (78, 80),
            (79, 80),
        ] {
            let factor = match layers {
                1 => 1.0 + 1e-5,
                _ => 1.0 - layer as f64 / (layers - 1) as f64 + 1e-5,
            };
            let slopes = lightning_slopes(heads, layer, layers);
            assert_eq!(slopes.len(), heads);
            for (head, slope) in slopes.into_iter().enumerate() {
                let expected = closed_form(heads, head) * factor;
                let within = (slope - expected).abs() <= 1e-12 * expected;
                assert!(
                    within,
                    "head {head} of {heads}, layer {layer} of {layers}: {slope}, not {expected}"
                );
                assert!(slope > 0.0);
            }
        }
    }
}

#[test]
fn have_the_published_values() {
    let first = lightning_slopes(64, 0, 80);
    assert!((first[0] / (1.0 + 1e-5) - 0.917_004).abs() < 1e-6);
    assert!((first[63] / (1.0 + 1e-5) - 0.003_906_25).abs() < 1e-12);
    assert!((lightning_slopes(64, 78, 80)[63] - 4.95e-5).abs() < 1e-7);
}
