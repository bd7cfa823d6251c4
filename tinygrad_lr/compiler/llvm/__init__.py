"""The writer of native code: a program as LLVM IR, through llvmlite."""
