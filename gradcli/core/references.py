"""The literature that ops, formulas and rules cite, by key."""

from __future__ import annotations

from typing import Final

__all__ = ["REFERENCES"]

REFERENCES: Final[dict[str, str]] = {
    "ba2016": "Ba, Kiros, Hinton, Layer normalization, arXiv 1607.06450, 2016",
    "bergstra2009": "Bergstra, Desjardins, Lamblin, Bengio, Quadratic polynomials learn better "
    "image features, Technical Report 1337, Université de Montréal 2009",
    "bishop2006": "Bishop, Pattern Recognition and Machine Learning, Springer 2006",
    "bridle1990": "Bridle, Probabilistic interpretation of feedforward classification network "
    "outputs, with relationships to statistical pattern recognition, Neurocomputing, Springer 1990",
    "chen2018": "Chen, Badrinarayanan, Lee, Rabinovich, GradNorm: gradient normalization for "
    "adaptive loss balancing in deep multitask networks, ICML 2018",
    "clevert2016": "Clevert, Unterthiner, Hochreiter, Fast and accurate deep network learning by "
    "exponential linear units (ELUs), ICLR 2016",
    "cody1969": "Cody, Rational Chebyshev approximations for the error function, Mathematics of "
    "Computation 23, 1969",
    "collobert2004": "Collobert, Large Scale Machine Learning, thesis, Université de Paris VI 2004",
    "courbariaux2015": "Courbariaux, Bengio, David, BinaryConnect: training deep neural networks "
    "with binary weights during propagations, NeurIPS 2015",
    "dugas2001": "Dugas, Bengio, Bélisle, Nadeau, Garcia, Incorporating second-order functional "
    "knowledge for better option pricing, NeurIPS 2000",
    "elfwing2018": "Elfwing, Uchibe, Doya, Sigmoid-weighted linear units for neural network "
    "function approximation in reinforcement learning, Neural Networks 107, 2018",
    "glorot2010": "Glorot and Bengio, Understanding the difficulty of training deep feedforward "
    "neural networks, AISTATS 2010",
    "guo2017": "Guo, Pleiss, Sun, Weinberger, On calibration of modern neural networks, ICML 2017",
    "he2015": "He, Zhang, Ren, Sun, Delving deep into rectifiers, ICCV 2015",
    "he2016": "He, Zhang, Ren, Sun, Deep residual learning for image recognition, CVPR 2016",
    "hendrycks2016": "Hendrycks and Gimpel, Gaussian error linear units (GELUs), arXiv 1606.08415, "
    "2016",
    "hoerl1970": "Hoerl and Kennard, Ridge regression: biased estimation for nonorthogonal "
    "problems, Technometrics 12, 1970",
    "huber2009": "Huber and Ronchetti, Robust Statistics, 2nd edition, Wiley 2009",
    "huber1964": "Huber, Robust estimation of a location parameter, Annals of Mathematical "
    "Statistics 35, 1964",
    "ioffe2015": "Ioffe and Szegedy, Batch normalization: accelerating deep network training by "
    "reducing internal covariate shift, ICML 2015",
    "kendall2018": "Kendall, Gal, Cipolla, Multi-task learning using uncertainty to weigh losses "
    "for scene geometry and semantics, CVPR 2018",
    "klambauer2017": "Klambauer, Unterthiner, Mayr, Hochreiter, Self-normalizing neural networks, "
    "NeurIPS 2017",
    "koenker1978": "Koenker and Bassett, Regression quantiles, Econometrica 46, 1978",
    "lecun1998": "LeCun, Bottou, Orr, Müller, Efficient BackProp, Neural Networks: Tricks of the "
    "Trade, Springer 1998",
    "liu2019": "Liu, Johns, Davison, End-to-end multi-task learning with attention, CVPR 2019",
    "maas2013": "Maas, Hannun, Ng, Rectifier nonlinearities improve neural network acoustic "
    "models, ICML workshop 2013",
    "mezzadri2007": "Mezzadri, How to generate random matrices from the classical compact groups, "
    "Notices of the AMS 54, 2007",
    "misra2020": "Misra, Mish: a self regularized non-monotonic activation function, BMVC 2020",
    "nair2010": "Nair and Hinton, Rectified linear units improve restricted Boltzmann machines, "
    "ICML 2010",
    "ramachandran2017": "Ramachandran, Zoph, Le, Searching for activation functions, "
    "arXiv 1710.05941, 2017",
    "saxe2014": "Saxe, McClelland, Ganguli, Exact solutions to the nonlinear dynamics of learning "
    "in deep linear neural networks, ICLR 2014",
    "squire1998": "Squire and Trapp, Using complex variables to estimate derivatives of real "
    "functions, SIAM Review 40, 1998",
    "srivastava2014": "Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, Dropout: a simple "
    "way to prevent neural networks from overfitting, JMLR 15, 2014",
    "szegedy2016": "Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, Rethinking the Inception "
    "architecture for computer vision, CVPR 2016",
    "tibshirani1996": "Tibshirani, Regression shrinkage and selection via the lasso, Journal of "
    "the Royal Statistical Society B 58, 1996",
    "zhang2019": "Zhang and Sennrich, Root mean square layer normalization, NeurIPS 2019",
}
