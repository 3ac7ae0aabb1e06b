@main
struct Primed {
    static func main() {}
}
