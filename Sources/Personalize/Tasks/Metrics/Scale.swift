/// A task's labels as numbers from lowest to highest.
struct Scale: Sendable {
    private let lowest: Double
    private let highest: Double

    init(_ labels: [String]) {
        let numbers = labels.compactMap(Self.measure)
        lowest = numbers.min() ?? 0
        highest = numbers.max() ?? 0
    }

    /// The differences of predictions and references.
    ///
    /// A prediction that is no number counts as the end of the scale further from the reference (the highest on a tie).
    /// Where the reference is none either, both count as half the highest: 2.5 on LaMP's scale of 1 to 5.
    func differences(_ predictions: [String], _ references: [String]) -> [Double] {
        zip(predictions, references).map { prediction, reference in
            let right = Self.measure(reference)
            let half = max(lowest, highest / 2)
            let furthest = right.map { abs(lowest - $0) > abs(highest - $0) ? lowest : highest }
            return (Self.measure(prediction) ?? furthest ?? half) - (right ?? half)
        }
    }

    /// A number whose square is one, too, and the sum of very many; nil for what is none.
    static func measure(_ text: String) -> Double? { number(text).flatMap { abs($0) <= 1e100 ? $0 : nil } }
}

/// The finite number that Python's `float(text)` reads; nil where it fails or is not finite.
///
/// Python allows surrounding space, a sign, single underscores between digits, and the decimal digits of any script.
func number(_ text: String) -> Double? {
    var ascii: [UInt8] = []
    for scalar in text.stripped().unicodeScalars {
        if scalar.isASCII {
            ascii.append(UInt8(scalar.value))
        } else if scalar.properties.generalCategory == .decimalNumber, let digit = scalar.properties.numericValue {
            ascii.append(UInt8(ascii: "0") + UInt8(digit))
        } else {
            return nil
        }
    }
    var plain: [UInt8] = []
    for (at, byte) in ascii.enumerated() {
        if byte == UInt8(ascii: "_") {
            guard at > 0, at + 1 < ascii.count, isDigit(ascii[at - 1]), isDigit(ascii[at + 1]) else { return nil }
        } else {
            plain.append(byte)
        }
    }
    // Swift reads hexadecimal floats and names too; Python's are decimal, and names are not finite.
    guard plain.allSatisfy({ isDigit($0) || "+-.eE".utf8.contains($0) }),
        let value = Double(String(decoding: plain, as: UTF8.self)), value.isFinite
    else { return nil }
    return value
}

private func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
