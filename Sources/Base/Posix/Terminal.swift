internal import CPosix
import Glibc

/// What a person may sit behind.
public enum Terminal {
    public static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

    /// The width in characters, nil where `descriptor` is no terminal or does not know.
    public static func columns(_ descriptor: Int32) -> Int? {
        let columns = cposix_terminal_columns(descriptor)
        return columns > 0 ? Int(columns) : nil
    }
}
