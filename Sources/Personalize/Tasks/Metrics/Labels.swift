/// A task's labels as numbers. What is no label is -1, equal to any other text that is none.
struct Labels: Sendable {
    let count: Int
    private let numbers: [[UInt8]: Int]

    init(_ labels: [String]) {
        count = labels.count
        numbers = Dictionary(labels.enumerated().map { (Array($1.utf8), $0) }) { first, _ in first }
    }

    func number(of text: String) -> Int { numbers[Array(text.utf8)] ?? -1 }
}
