"""The literature that ops, formulas and rules cite, by key."""

from __future__ import annotations

from typing import Final

__all__ = ["REFERENCES"]

REFERENCES: Final[dict[str, str]] = {
    "aji2017": "Aji and Heafield, Sparse communication for distributed gradient descent, EMNLP "
    "2017",
    "alistarh2017": "Alistarh, Grubic, Li, Tomioka, Vojnovic, QSGD: communication-efficient SGD "
    "via gradient quantization and encoding, NeurIPS 2017",
    "amari1998": "Amari, Natural gradient works efficiently in learning, Neural Computation 10, "
    "1998",
    "ba2016": "Ba, Kiros, Hinton, Layer normalization, arXiv 1607.06450, 2016",
    "barron2019": "Barron, A general and adaptive robust loss function, CVPR 2019",
    "bartlett2006": "Bartlett, Jordan, McAuliffe, Convexity, classification, and risk bounds, "
    "Journal of the American Statistical Association 101, 2006",
    "baur1983": "Baur and Strassen, The complexity of partial derivatives, Theoretical Computer "
    "Science 22, 1983",
    "bengio1994": "Bengio, Simard, Frasconi, Learning long-term dependencies with gradient "
    "descent is difficult, IEEE Transactions on Neural Networks 5, 1994",
    "bengio2009": "Bengio, Louradour, Collobert, Weston, Curriculum learning, ICML 2009",
    "bergstra2009": "Bergstra, Desjardins, Lamblin, Bengio, Quadratic polynomials learn better "
    "image features, Technical Report 1337, Université de Montréal 2009",
    "bishop2006": "Bishop, Pattern Recognition and Machine Learning, Springer 2006",
    "boyd2004": "Boyd and Vandenberghe, Convex Optimization, Cambridge University Press 2004",
    "bridle1990": "Bridle, Probabilistic interpretation of feedforward classification network "
    "outputs, with relationships to statistical pattern recognition, Neurocomputing, Springer 1990",
    "chen2016": "Chen, Xu, Zhang, Guestrin, Training deep nets with sublinear memory cost, arXiv "
    "1604.06174, 2016",
    "chen2018": "Chen, Badrinarayanan, Lee, Rabinovich, GradNorm: gradient normalization for "
    "adaptive loss balancing in deep multitask networks, ICML 2018",
    "cho2014": "Cho, van Merriënboer, Gulcehre, Bahdanau, Bougares, Schwenk, Bengio, Learning "
    "phrase representations using RNN encoder-decoder for statistical machine translation, "
    "EMNLP 2014",
    "clevert2016": "Clevert, Unterthiner, Hochreiter, Fast and accurate deep network learning by "
    "exponential linear units (ELUs), ICLR 2016",
    "cody1969": "Cody, Rational Chebyshev approximations for the error function, Mathematics of "
    "Computation 23, 1969",
    "cohen2021": "Cohen, Kaur, Li, Kolter, Talwalkar, Gradient descent on neural networks "
    "typically occurs at the edge of stability, ICLR 2021",
    "collobert2004": "Collobert, Large Scale Machine Learning, thesis, Université de Paris VI 2004",
    "cortes1995": "Cortes and Vapnik, Support-vector networks, Machine Learning 20, 1995",
    "courbariaux2015": "Courbariaux, Bengio, David, BinaryConnect: training deep neural networks "
    "with binary weights during propagations, NeurIPS 2015",
    "dauphin2014": "Dauphin, Pascanu, Gulcehre, Cho, Ganguli, Bengio, Identifying and attacking "
    "the saddle point problem in high-dimensional non-convex optimization, NeurIPS 2014",
    "donoho1983": "Donoho and Huber, The notion of breakdown point, A Festschrift for Erich L. "
    "Lehmann, Wadsworth 1983",
    "dugas2001": "Dugas, Bengio, Bélisle, Nadeau, Garcia, Incorporating second-order functional "
    "knowledge for better option pricing, NeurIPS 2000",
    "elfwing2018": "Elfwing, Uchibe, Doya, Sigmoid-weighted linear units for neural network "
    "function approximation in reinforcement learning, Neural Networks 107, 2018",
    "elman1990": "Elman, Finding structure in time, Cognitive Science 14, 1990",
    "franceschi2018": "Franceschi, Frasconi, Salzo, Grazzi, Pontil, Bilevel programming for "
    "hyperparameter optimization and meta-learning, ICML 2018",
    "gers2000": "Gers, Schmidhuber, Cummins, Learning to forget: continual prediction with LSTM, "
    "Neural Computation 12, 2000",
    "ghorbani2019": "Ghorbani, Krishnan, Xiao, An investigation into neural net optimization via "
    "Hessian eigenvalue density, ICML 2019",
    "glorot2010": "Glorot and Bengio, Understanding the difficulty of training deep feedforward "
    "neural networks, AISTATS 2010",
    "gneiting2007": "Gneiting and Raftery, Strictly proper scoring rules, prediction, and "
    "estimation, Journal of the American Statistical Association 102, 2007",
    "golub2013": "Golub and Van Loan, Matrix Computations, 4th edition, Johns Hopkins University "
    "Press 2013",
    "goodfellow2016": "Goodfellow, Bengio, Courville, Deep Learning, MIT Press 2016",
    "goyal2017": "Goyal, Dollár, Girshick, Noordhuis, Wesolowski, Kyrola, Tulloch, Jia, He, "
    "Accurate, large minibatch SGD: training ImageNet in 1 hour, arXiv 1706.02677, 2017",
    "grandvalet2005": "Grandvalet and Bengio, Semi-supervised learning by entropy minimization, "
    "NeurIPS 2004",
    "green1990": "Green, Bayesian reconstructions from emission tomography data using a modified "
    "EM algorithm, IEEE Transactions on Medical Imaging 9, 1990",
    "griewank2000": "Griewank and Walther, Algorithm 799: revolve, an implementation of "
    "checkpointing for the reverse or adjoint mode of computational differentiation, ACM "
    "Transactions on Mathematical Software 26, 2000",
    "griewank2008": "Griewank and Walther, Evaluating Derivatives, 2nd edition, SIAM 2008",
    "guo2017": "Guo, Pleiss, Sun, Weinberger, On calibration of modern neural networks, ICML 2017",
    "hadsell2006": "Hadsell, Chopra, LeCun, Dimensionality reduction by learning an invariant "
    "mapping, CVPR 2006",
    "hampel1974": "Hampel, The influence curve and its role in robust estimation, Journal of the "
    "American Statistical Association 69, 1974",
    "hanin2020": "Hanin and Nica, Products of many large random matrices and gradients in deep "
    "neural networks, Communications in Mathematical Physics 376, 2020",
    "he2015": "He, Zhang, Ren, Sun, Delving deep into rectifiers, ICCV 2015",
    "he2016": "He, Zhang, Ren, Sun, Deep residual learning for image recognition, CVPR 2016",
    "hendrycks2016": "Hendrycks and Gimpel, Gaussian error linear units (GELUs), arXiv 1606.08415, "
    "2016",
    "hermans2017": "Hermans, Beyer, Leibe, In defense of the triplet loss for person "
    "re-identification, arXiv 1703.07737, 2017",
    "higham2002": "Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, SIAM 2002",
    "hinton2015": "Hinton, Vinyals, Dean, Distilling the knowledge in a neural network, arXiv "
    "1503.02531, 2015",
    "hochreiter1991": "Hochreiter, Untersuchungen zu dynamischen neuronalen Netzen, thesis, TU "
    "München 1991",
    "hochreiter1997": "Hochreiter and Schmidhuber, Long short-term memory, Neural Computation 9, "
    "1997",
    "hoerl1970": "Hoerl and Kennard, Ridge regression: biased estimation for nonorthogonal "
    "problems, Technometrics 12, 1970",
    "huber1964": "Huber, Robust estimation of a location parameter, Annals of Mathematical "
    "Statistics 35, 1964",
    "huber2009": "Huber and Ronchetti, Robust Statistics, 2nd edition, Wiley 2009",
    "hutchinson1990": "Hutchinson, A stochastic estimator of the trace of the influence matrix for "
    "Laplacian smoothing splines, Communications in Statistics 19, 1990",
    "ioffe2015": "Ioffe and Szegedy, Batch normalization: accelerating deep network training by "
    "reducing internal covariate shift, ICML 2015",
    "katharopoulos2018": "Katharopoulos and Fleuret, Not all samples are created equal: deep "
    "learning with importance sampling, ICML 2018",
    "kendall2018": "Kendall, Gal, Cipolla, Multi-task learning using uncertainty to weigh losses "
    "for scene geometry and semantics, CVPR 2018",
    "kingma2015": "Kingma and Ba, Adam: a method for stochastic optimization, ICLR 2015",
    "klambauer2017": "Klambauer, Unterthiner, Mayr, Hochreiter, Self-normalizing neural networks, "
    "NeurIPS 2017",
    "koenker1978": "Koenker and Bassett, Regression quantiles, Econometrica 46, 1978",
    "kullback1951": "Kullback and Leibler, On information and sufficiency, Annals of Mathematical "
    "Statistics 22, 1951",
    "kumar2010": "Kumar, Packer, Koller, Self-paced learning for latent variable models, NeurIPS "
    "2010",
    "kunstner2019": "Kunstner, Balles, Hennig, Limitations of the empirical Fisher approximation "
    "for natural gradient descent, NeurIPS 2019",
    "lanczos1950": "Lanczos, An iteration method for the solution of the eigenvalue problem of "
    "linear differential and integral operators, Journal of Research of the NBS 45, 1950",
    "lecun1998": "LeCun, Bottou, Orr, Müller, Efficient BackProp, Neural Networks: Tricks of the "
    "Trade, Springer 1998",
    "lin2017": "Lin, Goyal, Girshick, He, Dollár, Focal loss for dense object detection, ICCV 2017",
    "lin2018": "Lin, Han, Mao, Wang, Dally, Deep gradient compression: reducing the communication "
    "bandwidth for distributed training, ICLR 2018",
    "liu1989": "Liu and Nocedal, On the limited memory BFGS method for large scale optimization, "
    "Mathematical Programming 45, 1989",
    "liu2019": "Liu, Johns, Davison, End-to-end multi-task learning with attention, CVPR 2019",
    "loshchilov2017": "Loshchilov and Hutter, SGDR: stochastic gradient descent with warm "
    "restarts, ICLR 2017",
    "loshchilov2019": "Loshchilov and Hutter, Decoupled weight decay regularization, ICLR 2019",
    "maas2013": "Maas, Hannun, Ng, Rectifier nonlinearities improve neural network acoustic "
    "models, ICML workshop 2013",
    "marquardt1963": "Marquardt, An algorithm for least-squares estimation of nonlinear "
    "parameters, Journal of the SIAM 11, 1963",
    "martens2020": "Martens, New insights and perspectives on the natural gradient method, "
    "Journal of Machine Learning Research 21, 2020",
    "mezzadri2007": "Mezzadri, How to generate random matrices from the classical compact groups, "
    "Notices of the AMS 54, 2007",
    "micikevicius2018": "Micikevicius et al., Mixed precision training, ICLR 2018",
    "misra2020": "Misra, Mish: a self regularized non-monotonic activation function, BMVC 2020",
    "nair2010": "Nair and Hinton, Rectified linear units improve restricted Boltzmann machines, "
    "ICML 2010",
    "nesterov2004": "Nesterov, Introductory Lectures on Convex Optimization, Kluwer 2004",
    "nix1994": "Nix and Weigend, Estimating the mean and variance of the target probability "
    "distribution, IEEE International Conference on Neural Networks 1994",
    "nocedal2006": "Nocedal and Wright, Numerical Optimization, 2nd edition, Springer 2006",
    "parlett1980": "Parlett, The Symmetric Eigenvalue Problem, Prentice-Hall 1980",
    "pascanu2013": "Pascanu, Mikolov, Bengio, On the difficulty of training recurrent neural "
    "networks, ICML 2013",
    "pearlmutter1994": "Pearlmutter, Fast exact multiplication by the Hessian, Neural Computation "
    "6, 1994",
    "pereyra2017": "Pereyra, Tucker, Chorowski, Kaiser, Hinton, Regularizing neural networks by "
    "penalizing confident output distributions, ICLR workshop 2017",
    "polyak1964": "Polyak, Some methods of speeding up the convergence of iteration methods, USSR "
    "Computational Mathematics and Mathematical Physics 4, 1964",
    "poole2016": "Poole, Lahiri, Raghu, Sohl-Dickstein, Ganguli, Exponential expressivity in deep "
    "neural networks through transient chaos, NeurIPS 2016",
    "press2007": "Press, Teukolsky, Vetterling, Flannery, Numerical Recipes, 3rd edition, "
    "Cambridge University Press 2007",
    "ramachandran2017": "Ramachandran, Zoph, Le, Searching for activation functions, "
    "arXiv 1710.05941, 2017",
    "richardson1911": "Richardson, The approximate arithmetical solution by finite differences of "
    "physical problems involving differential equations, Philosophical Transactions of the Royal "
    "Society A 210, 1911",
    "robbins1951": "Robbins and Monro, A stochastic approximation method, Annals of Mathematical "
    "Statistics 22, 1951",
    "roberts2022": "Roberts, Yaida, Hanin, The Principles of Deep Learning Theory, Cambridge "
    "University Press 2022",
    "rockafellar1970": "Rockafellar, Convex Analysis, Princeton University Press 1970",
    "romano2019": "Romano, Patterson, Candès, Conformalized quantile regression, NeurIPS 2019",
    "rosasco2004": "Rosasco, De Vito, Caponnetto, Piana, Verri, Are loss functions all the "
    "same?, Neural Computation 16, 2004",
    "rumelhart1986": "Rumelhart, Hinton, Williams, Learning representations by back-propagating "
    "errors, Nature 323, 1986",
    "sajjadi2016": "Sajjadi, Javanmardi, Tasdizen, Regularization with stochastic transformations "
    "and perturbations for deep semi-supervised learning, NeurIPS 2016",
    "saxe2014": "Saxe, McClelland, Ganguli, Exact solutions to the nonlinear dynamics of learning "
    "in deep linear neural networks, ICLR 2014",
    "schoenholz2017": "Schoenholz, Gilmer, Ganguli, Sohl-Dickstein, Deep information propagation, "
    "ICLR 2017",
    "schraudolph2002": "Schraudolph, Fast curvature matrix-vector products for second-order "
    "gradient descent, Neural Computation 14, 2002",
    "schroff2015": "Schroff, Kalenichenko, Philbin, FaceNet: a unified embedding for face "
    "recognition and clustering, CVPR 2015",
    "shannon1948": "Shannon, A mathematical theory of communication, Bell System Technical "
    "Journal 27, 1948",
    "squire1998": "Squire and Trapp, Using complex variables to estimate derivatives of real "
    "functions, SIAM Review 40, 1998",
    "srivastava2014": "Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, Dropout: a simple "
    "way to prevent neural networks from overfitting, JMLR 15, 2014",
    "sutskever2013": "Sutskever, Martens, Dahl, Hinton, On the importance of initialization and "
    "momentum in deep learning, ICML 2013",
    "szegedy2016": "Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, Rethinking the Inception "
    "architecture for computer vision, CVPR 2016",
    "tibshirani1996": "Tibshirani, Regression shrinkage and selection via the lasso, Journal of "
    "the Royal Statistical Society B 58, 1996",
    "werbos1990": "Werbos, Backpropagation through time: what it does and how to do it, "
    "Proceedings of the IEEE 78, 1990",
    "xiong2020": "Xiong, Yang, He, Zheng, Zheng, Xing, Zhang, Lan, Wang, Liu, On layer "
    "normalization in the Transformer architecture, ICML 2020",
    "yang2019": "Yang, Pennington, Rao, Sohl-Dickstein, Schoenholz, A mean field theory of batch "
    "normalization, ICLR 2019",
    "zhang2019": "Zhang and Sennrich, Root mean square layer normalization, NeurIPS 2019",
    "zhang2019fixup": "Zhang, Dauphin, Ma, Fixup initialization: residual learning without "
    "normalization, ICLR 2019",
    "zhao2015": "Zhao and Zhang, Stochastic optimization with importance sampling for regularized "
    "loss minimization, ICML 2015",
}
