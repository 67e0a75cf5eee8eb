//! Which array of CTranslate2 is which tensor of OpenAI's Whisper, in the order in which they are written.

use super::{ConvertError, ct2::Weights, input};

/// Every Whisper has so many values a head.
const HEAD: u64 = 64;
/// Layers of the largest Whisper, and twice as many.
const MOST_LAYERS: u32 = 64;

/// A tensor to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    pub name: String,
    pub dimensions: Vec<u64>,
    pub values: Values,
    /// In single precision, whatever the others are in.
    pub exact: bool,
}

/// Where its values are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Values {
    /// Values `from` to `to` of the array.
    Of { array: String, from: u64, to: u64 },
    /// So many zeros: a bias that the file leaves out.
    Zeros(u64),
}

/// The sizes in the head of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    pub vocabulary: u32,
    /// Context, width, heads and layers of the encoder.
    pub audio: [u32; 4],
    /// The same of the decoder.
    pub text: [u32; 4],
    pub mel_bands: u32,
}

/// What is to be written.
pub struct Plan {
    pub sizes: Sizes,
    pub tensors: Vec<Tensor>,
    /// Arrays that must be zero, because Whisper has nothing in their place.
    pub zero: Vec<Values>,
}

impl Plan {
    pub fn of(weights: &Weights) -> Result<Self, ConvertError> {
        let mut list = List { weights, tensors: Vec::new(), zero: Vec::new() };
        list.whole("decoder.positional_embedding", "decoder/position_encodings/encodings")?;
        list.whole("encoder.positional_embedding", "encoder/position_encodings/encodings")?;
        list.whole("decoder.token_embedding.weight", "decoder/embeddings/weight")?;
        let text_layers = list.layers("decoder")?;
        for layer in 0..text_layers {
            let (to, from) = (format!("decoder.blocks.{layer}"), format!("decoder/layer_{layer}"));
            list.self_attention(&to, &from)?;
            let (cross, attention) = (format!("{to}.cross_attn"), format!("{from}/attention"));
            list.linear(&format!("{cross}.query"), &format!("{attention}/linear_0"), Part::WHOLE)?;
            let fused = format!("{attention}/linear_1");
            list.linear(&format!("{cross}.key"), &fused, Part { at: 0, of: 2, bias: false })?;
            list.linear(&format!("{cross}.value"), &fused, Part { at: 1, of: 2, bias: true })?;
            list.linear(&format!("{cross}.out"), &format!("{attention}/linear_2"), Part::WHOLE)?;
            list.norm(&format!("{to}.cross_attn_ln"), &format!("{attention}/layer_norm"))?;
            list.mlp(&to, &from)?;
        }
        list.norm("decoder.ln", "decoder/layer_norm")?;
        for layer in [1, 2] {
            list.whole(&format!("encoder.conv{layer}.weight"), &format!("encoder/conv{layer}/weight"))?;
            list.whole(&format!("encoder.conv{layer}.bias"), &format!("encoder/conv{layer}/bias"))?;
            if let Some(bias) = list.tensors.last_mut() {
                // whisper.cpp adds it to every moment.
                bias.dimensions.push(1);
                bias.exact = true;
            }
        }
        let audio_layers = list.layers("encoder")?;
        for layer in 0..audio_layers {
            let (to, from) = (format!("encoder.blocks.{layer}"), format!("encoder/layer_{layer}"));
            list.self_attention(&to, &from)?;
            list.mlp(&to, &from)?;
        }
        list.norm("encoder.ln_post", "encoder/layer_norm")?;
        let sizes = list.sizes(audio_layers, text_layers)?;
        Ok(Self { sizes, tensors: list.tensors, zero: list.zero })
    }
}

/// One of several matrices that CTranslate2 keeps as one.
#[derive(Clone, Copy)]
struct Part {
    at: u64,
    of: u64,
    bias: bool,
}

impl Part {
    const WHOLE: Self = Self { at: 0, of: 1, bias: true };
}

struct List<'a> {
    weights: &'a Weights,
    tensors: Vec<Tensor>,
    zero: Vec<Values>,
}

impl List<'_> {
    fn dimensions(&self, array: &str) -> Result<Vec<u64>, ConvertError> {
        let found = self.weights.get(array).ok_or_else(|| input(format!("model.bin has no {array}")))?;
        Ok(found.dimensions.clone())
    }

    fn push(&mut self, name: &str, dimensions: Vec<u64>, values: Values) {
        let exact = dimensions.len() < 2 || name.ends_with(".positional_embedding");
        self.tensors.push(Tensor { name: name.into(), dimensions, values, exact });
    }

    fn whole(&mut self, name: &str, array: &str) -> Result<(), ConvertError> {
        let dimensions = self.dimensions(array)?;
        let to = dimensions.iter().product();
        self.push(name, dimensions, Values::Of { array: array.into(), from: 0, to });
        Ok(())
    }

    fn norm(&mut self, name: &str, array: &str) -> Result<(), ConvertError> {
        self.whole(&format!("{name}.weight"), &format!("{array}/gamma"))?;
        self.whole(&format!("{name}.bias"), &format!("{array}/beta"))
    }

    fn linear(&mut self, name: &str, array: &str, part: Part) -> Result<(), ConvertError> {
        let (weight, bias) = (format!("{array}/weight"), format!("{array}/bias"));
        let &[rows, columns] = self.dimensions(&weight)?.as_slice() else {
            return Err(input(format!("{weight} is no matrix")));
        };
        if rows % part.of != 0 {
            return Err(input(format!("{weight} cannot be divided by {}", part.of)));
        }
        let rows = rows / part.of;
        let (from, to) = (part.at * rows, (part.at + 1) * rows);
        let values = Values::Of { array: weight, from: from * columns, to: to * columns };
        self.push(&format!("{name}.weight"), vec![rows, columns], values);
        let values = match self.weights.get(&bias) {
            Some(_) => Values::Of { array: bias, from, to },
            None => Values::Zeros(rows),
        };
        if part.bias {
            self.push(&format!("{name}.bias"), vec![rows], values);
        } else {
            self.zero.push(values);
        }
        Ok(())
    }

    fn self_attention(&mut self, name: &str, array: &str) -> Result<(), ConvertError> {
        let fused = format!("{array}/self_attention/linear_0");
        for (at, part, bias) in [(0, "query", true), (1, "key", false), (2, "value", true)] {
            self.linear(&format!("{name}.attn.{part}"), &fused, Part { at, of: 3, bias })?;
        }
        self.linear(&format!("{name}.attn.out"), &format!("{array}/self_attention/linear_1"), Part::WHOLE)?;
        self.norm(&format!("{name}.attn_ln"), &format!("{array}/self_attention/layer_norm"))
    }

    fn mlp(&mut self, name: &str, array: &str) -> Result<(), ConvertError> {
        self.linear(&format!("{name}.mlp.0"), &format!("{array}/ffn/linear_0"), Part::WHOLE)?;
        self.linear(&format!("{name}.mlp.2"), &format!("{array}/ffn/linear_1"), Part::WHOLE)?;
        self.norm(&format!("{name}.mlp_ln"), &format!("{array}/ffn/layer_norm"))
    }

    fn layers(&self, side: &str) -> Result<u32, ConvertError> {
        let there = |layer: &u32| self.weights.get(&format!("{side}/layer_{layer}/self_attention/linear_0/weight"));
        match (0..=MOST_LAYERS).take_while(|layer| there(layer).is_some()).count() {
            0 => Err(input(format!("the {side} has no layers"))),
            layers if layers > MOST_LAYERS as usize => Err(input(format!("the {side} has too many layers"))),
            layers => Ok(layers as u32),
        }
    }

    fn sizes(&self, audio_layers: u32, text_layers: u32) -> Result<Sizes, ConvertError> {
        let two = |array: &str| match self.dimensions(array)?.as_slice() {
            &[rows, columns, ..] => Ok((rows, columns)),
            _ => Err(input(format!("{array} is no matrix"))),
        };
        let small = |value: u64| match u32::try_from(value) {
            Ok(value @ 1..=10_000_000) => Ok(value),
            _ => Err(input(format!("model.bin has a dimension of {value}"))),
        };
        let (audio_context, audio_width) = two("encoder/position_encodings/encodings")?;
        let (text_context, _) = two("decoder/position_encodings/encodings")?;
        let (vocabulary, text_width) = two("decoder/embeddings/weight")?;
        let (_, mel_bands) = two("encoder/conv1/weight")?;
        let side = |context, width, layers| {
            Ok::<_, ConvertError>([small(context)?, small(width)?, small(width / HEAD)?, layers])
        };
        Ok(Sizes {
            vocabulary: small(vocabulary)?,
            audio: side(audio_context, audio_width, audio_layers)?,
            text: side(text_context, text_width, text_layers)?,
            mel_bands: small(mel_bands)?,
        })
    }
}
