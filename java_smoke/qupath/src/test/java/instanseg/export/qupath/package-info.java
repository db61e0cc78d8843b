/** Tests with freshly exported packages: see {@code make_packages.py}. */
package instanseg.export.qupath;
