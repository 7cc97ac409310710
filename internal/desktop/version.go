package desktop

// Version is this build's version; releases set it when linking.
var Version = "0.1.0-dev"
