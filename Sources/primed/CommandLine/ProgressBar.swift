import Glibc
import Posix
import Worker

/// One line that is drawn over itself; nothing where standard error is no terminal.
final class ProgressBar: Sendable {
    private let isShown: Bool

    init(isShown: Bool) { self.isShown = isShown && Terminal.isTerminal(STDERR_FILENO) }

    func show(_ progress: JobProgress) {
        guard isShown else { return }
        let width = 24
        let done = progress.budget.map { Double(progress.evaluation ?? 0) / Double(max(1, $0)) } ?? 0
        let filled = Int((done * Double(width)).rounded())
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled)
        let columns = Terminal.size(STDERR_FILENO)?.columns ?? 80
        draw("\r\u{1b}[K" + "[\(bar)] \(progress.words(withUser: true))".prefix(max(0, columns - 1)))
    }

    func end() { if isShown { draw("\r\u{1b}[K") } }

    private func draw(_ text: String) {
        let bytes = Array(text.utf8)
        _ = write(STDERR_FILENO, bytes, bytes.count)
    }
}
