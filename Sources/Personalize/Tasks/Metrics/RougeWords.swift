/// The words that ROUGE compares, as numbers that are the same for the same words.
struct RougeWords {
    /// A word of up to 12 letters and digits is a number of as many digits to the base 37; 37^12 < 2^63.
    private static let longestPacked = 12
    /// Longer words are counted downwards from -1.
    private var longWords: [[UInt8]: Int] = [:]

    /// The words of `text` as `rouge_score` splits it: lower case, runs of a-z and 0-9, no stemming.
    mutating func words(of text: String) -> [Int] {
        var words: [Int] = []
        var word: [UInt8] = []
        for scalar in text.unicodeScalars {
            if let byte = Self.lowerCase(scalar) {
                word.append(byte)
                // Lower-cased it is an i and a combining mark, which ends the word.
                guard scalar == "\u{130}" else { continue }
            }
            if !word.isEmpty { words.append(number(of: word)) }
            word.removeAll(keepingCapacity: true)
        }
        if !word.isEmpty { words.append(number(of: word)) }
        return words
    }

    private mutating func number(of word: [UInt8]) -> Int {
        guard word.count > Self.longestPacked else {
            return word.reduce(0) { $0 * 37 + Int($1 <= UInt8(ascii: "9") ? $1 - 0x30 + 27 : $1 - 0x60) }
        }
        if let known = longWords[word] { return known }
        longWords[word] = -1 - longWords.count
        return -longWords.count
    }

    /// The scalar in lower case where that is in a-z or 0-9: beyond ASCII, only the dotted I and the Kelvin sign are.
    private static func lowerCase(_ scalar: Unicode.Scalar) -> UInt8? {
        switch scalar {
        case "a"..."z", "0"..."9": UInt8(scalar.value)
        case "A"..."Z": UInt8(scalar.value) | 0x20
        case "\u{130}": UInt8(ascii: "i")
        case "\u{212A}": UInt8(ascii: "k")
        default: nil
        }
    }
}

/// The mean F-measure over pairs, given how many words of a pair agree.
func meanRouge(
    _ predictions: [String], _ references: [String], agreeing: ([Int], [Int]) -> Int
) -> Double {
    var sum = 0.0
    for (prediction, reference) in zip(predictions, references) {
        var numbering = RougeWords()
        let predicted = numbering.words(of: prediction)
        let asked = numbering.words(of: reference)
        guard !predicted.isEmpty, !asked.isEmpty else { continue }
        let count = Double(agreeing(predicted, asked))
        let precision = count / Double(predicted.count)
        let recall = count / Double(asked.count)
        if precision + recall > 0 { sum += 2 * precision * recall / (precision + recall) }
    }
    return sum / Double(predictions.count)
}
