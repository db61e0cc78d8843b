"""ONNX: what ONNX Runtime runs in Python, Java, C++, C# and web pages."""
