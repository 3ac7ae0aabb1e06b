/// The words of Llama 3's pre-tokenizer, by hand, since regular expression engines differ in their classes:
///
///     (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
struct Splitter {
    static let pattern =
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

    enum Class: UInt8 {
        case letter, number, space, newline, other
    }

    private let scalars: [Unicode.Scalar]
    private let classes: [Class]
    /// Byte offset of each scalar, and of the end.
    private let offsets: [Int]

    init(_ text: UnsafeBufferPointer<UInt8>) {
        var scalars: [Unicode.Scalar] = []
        var classes: [Class] = []
        var offsets: [Int] = [0]
        scalars.reserveCapacity(text.count)
        for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
            scalars.append(scalar)
            classes.append(Self.classify(scalar))
            offsets.append(offsets[offsets.count - 1] + UTF8.width(scalar))
        }
        self.scalars = scalars
        self.classes = classes
        self.offsets = offsets
    }

    static func classify(_ scalar: Unicode.Scalar) -> Class {
        switch scalar.value {
        case 0x0a, 0x0d: return .newline
        case 0x41...0x5a, 0x61...0x7a: return .letter
        case 0x30...0x39: return .number
        case 0x20, 0x09, 0x0b, 0x0c: return .space
        case 0..<0x80: return .other
        default: break
        }
        // Later characters are symbols to the tokenizers library, and the words must not change with the toolchain.
        guard let age = scalar.properties.age, age.major <= 16 else { return .other }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: return .letter
        case .decimalNumber, .letterNumber, .otherNumber: return .number
        default: return scalar.properties.isWhitespace ? .space : .other
        }
    }

    /// Calls `body` with the byte range of each word, in order.
    func forEachWord(_ body: (Range<Int>) -> Void) {
        var start = 0
        while start < scalars.count {
            let end = self.end(from: start)
            body(offsets[start]..<offsets[end])
            start = end
        }
    }

    private func run(from start: Int, while matches: (Class) -> Bool) -> Int {
        var end = start
        while end < classes.count, matches(classes[end]) { end += 1 }
        return end
    }

    /// Where the word that begins at `start` ends: the first alternative that matches, as the pattern orders them.
    private func end(from start: Int) -> Int {
        if let end = contraction(start) { return end }
        let first = classes[start]
        let next = start + 1 < classes.count ? classes[start + 1] : nil
        if first == .letter { return run(from: start) { $0 == .letter } }
        if first == .space || first == .other, next == .letter { return run(from: start + 1) { $0 == .letter } }
        if first == .number { return min(start + 3, run(from: start) { $0 == .number }) }
        if first == .other || (scalars[start] == " " && next == .other) {
            let symbols = run(from: start + 1) { $0 == .other }
            return run(from: symbols) { $0 == .newline }
        }
        let end = run(from: start) { $0 == .space || $0 == .newline }
        if let newline = classes[start..<end].lastIndex(of: .newline) { return newline + 1 }
        // \s+(?!\S) leaves the last blank to the word that follows it.
        return end == classes.count || end == start + 1 ? end : end - 1
    }

    private func contraction(_ start: Int) -> Int? {
        guard scalars[start] == "'", start + 1 < scalars.count else { return nil }
        func folded(_ index: Int) -> UInt32? {
            guard index < scalars.count else { return nil }
            let value = scalars[index].value
            if (0x41...0x5a).contains(value) { return value + 0x20 }
            // Long s folds to s.
            return value == 0x17f ? 0x73 : value
        }
        switch (folded(start + 1), folded(start + 2)) {
        case (0x73, _), (0x74, _): return start + 2  // 's 't
        case (0x72, 0x65), (0x76, 0x65): return start + 3  // 're 've
        case (0x6d, _): return start + 2  // 'm
        case (0x6c, 0x6c): return start + 3  // 'll
        case (0x64, _): return start + 2  // 'd
        default: return nil
        }
    }
}
